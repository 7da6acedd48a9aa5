"""What every form of a model goes through before it is trusted: written, loaded, and held against the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.backends import predicted
from pipeline.features import IGNORED, Features, Inputs
from pipeline.formats.alone import NEW_TOKENS
from pipeline.formats.checks import Sample, Writer, check_logits
from pipeline.formats.text_checks import Row, check_masked, check_texts, padded

if TYPE_CHECKING:
    import numpy as np

TOGETHER = 8  # rows whose answers over a vocabulary are compared at once
TIMED = 32  # rows that are answered at once, to see how fast


class Trial(Protocol):
    """A model, and rows to hold its forms against it with."""

    @property
    def writes(self) -> bool:
        """Whether it is text that is answered with."""

    def write(self, form: Any, place: Path, **more: Any) -> dict[str, Any]:
        """Make ``place`` in a form; what is worth telling of it."""

    def compare(self, form: Any, runtime: Any) -> dict[str, Any]:
        """How far what was loaded again is off, on ``rows``.

        Raises:
            CheckFailed: farther than the form may be.
        """

    @property
    def unit(self) -> float:
        """What its answers may be off by a share of."""

    def batches(self) -> list[Inputs]:
        """Rows to time it with: one, and as many as are answered at once."""


@dataclass(frozen=True)
class Answers:
    """Of a model that answers with numbers.  ``reference``: what is asked again where answers are over a vocabulary, which
    is too much to be kept."""

    model: Path
    sample: Sample
    tolerance: float
    reference: Any = None
    writes: bool = False

    def write(self, form: Any, place: Path, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = form.write(self.model, place, self.sample, **more)
        return found

    def compare(self, form: Any, runtime: Any) -> dict[str, Any]:
        allowed = self.tolerance * form.looser
        if self.reference is None:
            return check_logits(form.name, runtime, self.sample, allowed)
        return check_masked(form.name, runtime, self.reference, self._hidden(), allowed)

    @property
    def unit(self) -> float:
        return self.sample.unit

    def batches(self) -> list[Inputs]:
        most = TIMED
        if self.reference is not None:  # a vocabulary for each token
            one = self.sample.inputs(TIMED)
            answers = self.reference.run({name: values[:1] for name, values in one.items()})
            most = max(1, min(TIMED, predicted.LOGITS // answers.size))
        return [self.sample.inputs(size) for size in sorted({1, most})]

    def _hidden(self) -> Iterator[tuple[Inputs, np.ndarray]]:
        """Rows with hidden tokens, in batches, and where these are."""
        for start in range(0, len(self.sample.rows), TOGETHER):
            inputs, wanted = predicted.masked(self.sample.features, self.sample.rows[start : start + TOGETHER])
            yield inputs, wanted != IGNORED


@dataclass(frozen=True)
class Texts:
    """Of a model that writes.  ``longest``: tokens to write, at most; ``show``: what people read of token ids."""

    model: Path
    rows: Sequence[Row]
    tolerance: float
    reference: Writer
    pad: int
    longest: int
    show: Callable[[list[int]], str]
    writes: bool = True
    unit: float = 1.0

    def write(self, form: Any, place: Path, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = form.write(self.model, place, **more)
        return found

    def compare(self, form: Any, runtime: Any) -> dict[str, Any]:
        return check_texts(
            form.name, runtime, self.reference, self.rows, self.tolerance * form.looser, pad=self.pad,
            longest=self.longest, show=self.show,
        )  # fmt: skip

    def batches(self) -> list[Inputs]:
        import numpy as np

        read = [self.rows[place % len(self.rows)][0] for place in range(TIMED)]
        if self.reference.start is None:
            # What is written comes behind, and the model may have no more places than rows have.
            room = max(len(before) + len(behind) for before, behind in self.rows) - NEW_TOKENS
            read = [tokens[-max(1, room) :] for tokens in read]
        middle = int(np.argsort([len(tokens) for tokens in read])[len(read) // 2])
        return [padded([read[middle]], self.pad), padded(read, self.pad)]


def pairs(features: Features, rows: np.ndarray, head: str) -> list[Row]:
    """Of each row what is read and what is to be written; of a text without a prompt, its first half and its second."""
    if head == "seq2seq":
        return [(features.ids.row(row).tolist(), features.lists("label").row(row).tolist()) for row in rows.tolist()]
    prompts, found = features.numbers("prompt"), []
    for row in rows.tolist():
        ids = features.ids.row(row).tolist()
        begin = int(prompts[row]) or max(1, len(ids) // 2)
        found.append((ids[:begin], ids[begin:]))
    return found
