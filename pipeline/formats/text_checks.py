"""Whether an exported model writes what the model writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import CheckFailed
from pipeline.features import Inputs
from pipeline.formats.checks import Runtime, Writer

if TYPE_CHECKING:
    import numpy as np

Row = tuple[Sequence[int], Sequence[int]]
"""Token ids of what is read, and of what is to be written: with the end, without a beginning."""
NUMBERS = 1 << 26  # logits that are compared at once
TOGETHER = 16  # texts that are written at once
# The best token each time, whatever the model's own settings are: logits alone say what is written.
PLAIN: dict[str, Any] = {
    "num_beams": 1, "do_sample": False, "temperature": 1.0, "top_k": 50, "top_p": 1.0, "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0, "length_penalty": 1.0, "early_stopping": False,
}  # fmt: skip


def check_texts(
    name: str,
    writer: Writer,
    reference: Writer,
    rows: Sequence[Row],
    tolerance: float,
    *,
    pad: int = 0,
    longest: int = 32,
    show: Callable[[list[int]], str] = str,
) -> dict[str, Any]:
    """The writer must score the tokens of all rows as the reference does, and write the same texts, the best token each
    time; what was measured.

    Logits may differ by ``tolerance``, as a share of the largest where that is more than 1.  Texts may differ from the
    first place on where the reference's own logits of the two tokens are that near; ``near_ties`` says how many do.

    Args:
        pad: the token id that fills rows up.
        longest: the most tokens to write.
        show: what people read of token ids, for messages.

    Raises:
        CheckFailed: it does not.
    """
    check = _Check(name, writer, reference, tolerance, pad, show)
    largest = check.logits(rows)
    return {"rows": len(rows), "largest_difference": float(f"{largest:.2e}"), "near_ties": check.texts(rows, longest)}


def check_masked(
    name: str, runtime: Runtime, reference: Runtime, batches: Iterable[tuple[Inputs, np.ndarray]], tolerance: float
) -> dict[str, Any]:
    """The runtime must score all words as the reference does where words are masked; what was measured.

    Args:
        batches: inputs, and where tokens are masked in them (bool, batch × length).

    Raises:
        CheckFailed: it does not.
    """
    largest, rows = 0.0, 0
    for inputs, masked in batches:
        found, wanted = (one.run(inputs)[masked] for one in (runtime, reference))
        largest, rows = max(largest, _difference(name, found, wanted, tolerance)), rows + len(masked)
    return {"rows": rows, "largest_difference": float(f"{largest:.2e}")}


def padded(rows: Sequence[Sequence[int]], pad: int) -> Inputs:
    """What a network takes of some texts, filled up behind."""
    import numpy as np

    widths = np.array([len(tokens) for tokens in rows])
    ids = np.full((len(rows), widths.max()), pad, np.int64)
    for row, tokens in zip(ids, rows, strict=True):
        row[: len(tokens)] = tokens
    return {"input_ids": ids, "attention_mask": (np.arange(ids.shape[1]) < widths[:, None]).astype(np.int64)}


@dataclass(frozen=True)
class _Check:
    name: str
    writer: Writer
    reference: Writer
    tolerance: float
    pad: int
    show: Callable[[list[int]], str]

    def logits(self, rows: Sequence[Row]) -> float:
        """How far off they are, as a share of the largest."""
        largest = 0.0
        for batch in self._batches(rows):
            found, wanted = (self._scored(one, batch) for one in (self.writer, self.reference))
            largest = max(largest, _difference(self.name, found, wanted, self.tolerance))
        return largest

    def texts(self, rows: Sequence[Row], longest: int) -> int:
        """How many are different from a near tie on."""
        prompts, new = self._prompts(rows, longest)
        settings, ties = {**PLAIN, "max_new_tokens": new}, 0
        for start in range(0, len(prompts), TOGETHER):
            batch = prompts[start : start + TOGETHER]
            found, wanted = (one.generate(padded(batch, self.pad), settings) for one in (self.writer, self.reference))
            for row, (prompt, here, there) in enumerate(zip(batch, found, wanted, strict=True), start + 1):
                if here != there:
                    self._allow(row, prompt, here, there)
                    ties += 1
        return ties

    def _batches(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        """One row alone, then as many together as memory is there for."""
        yield rows[:1]
        longest = max(len(written) + (len(read) if self.writer.start is None else 0) for read, written in rows)
        size = NUMBERS // (longest * self._scored(self.writer, rows[:1]).shape[1])
        size = min(TOGETHER, max(1, size))
        for start in range(1, len(rows), size):
            yield rows[start : start + size]

    def _scored(self, writer: Writer, rows: Sequence[Row]) -> np.ndarray:
        """Logits behind all tokens of some rows (tokens × vocabulary)."""
        if writer.start is None:
            inputs = padded([[*read, *written] for read, written in rows], self.pad)
            logits, mask = writer.logits(inputs), inputs["attention_mask"]
        else:
            given = padded([[writer.start, *written[:-1]] for _, written in rows], self.pad)
            inputs = padded([read for read, _ in rows], self.pad)
            logits, mask = writer.logits(inputs, given["input_ids"]), given["attention_mask"]
        found: np.ndarray = logits[mask == 1]
        return found

    def _prompts(self, rows: Sequence[Row], longest: int) -> tuple[list[list[int]], int]:
        """What to begin with in each row, and how many tokens to write: where both are one text, no more in all than the
        rows have, for the model may have no more places."""
        if self.writer.start is not None:
            return [list(read) for read, _ in rows], longest
        room = max(len(read) + len(written) for read, written in rows)
        new = min(longest, max(1, room // 2))
        begun = (read or written[: max(1, len(written) // 2)] for read, written in rows)
        return [list(tokens[-max(1, room - new) :]) for tokens in begun], new

    def _allow(self, row: int, prompt: list[int], found: list[int], wanted: list[int]) -> None:
        """Raises: the reference does not see the two tokens where the texts part as near to each other."""
        place = next((at for at, both in enumerate(zip(found, wanted, strict=False)) if both[0] != both[1]), None)
        gap = float("inf")  # where one only is longer
        if place is not None:
            logits = self._behind(prompt, wanted[:place])
            gap = abs(float(logits[wanted[place]] - logits[found[place]])) / _unit(logits)
        if not gap <= 2 * self.tolerance:
            raise CheckFailed(
                f"{self.name}: does not write what the model writes: {self.show(found)} instead of {self.show(wanted)} for "
                f"row {row} of the sample, {self.show(prompt)}, and where they part, the model's logits differ by {gap:.2e}; "
                "the export was not kept"
            )

    def _behind(self, prompt: list[int], written: list[int]) -> np.ndarray:
        """The reference's logits of the next token."""
        import numpy as np

        if self.reference.start is None:
            logits = self.reference.logits(padded([[*prompt, *written]], self.pad))
        else:
            logits = self.reference.logits(padded([prompt], self.pad), np.array([[self.reference.start, *written]]))
        found: np.ndarray = logits[0, -1]
        return found


def _difference(name: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> float:
    """How far logits (tokens × vocabulary) are off, as a share of the largest."""
    import numpy as np

    difference = float(np.abs(found - wanted).max(initial=0)) / _unit(wanted)
    if not (difference <= tolerance and np.isfinite(difference)):
        raise CheckFailed(
            f"{name}: does not score tokens as the model does: logits differ by {difference:.2e} of the largest on "
            f"validation rows, where export.tolerance allows {tolerance:.0e}; the export was not kept"
        )
    return difference


def _unit(logits: np.ndarray) -> float:
    """What a difference is a share of: a float is as exact as it is large."""
    import numpy as np

    return max(1.0, float(np.abs(logits).max(initial=0)))
