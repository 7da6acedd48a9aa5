"""A first look at every row: what there is, which rows to take, and what is odd about them.

Keeps some thirty bytes a row, so that files of millions of rows need no more memory than that.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pipeline.corpora.forms import BadRow, Form
from pipeline.corpora.forms import examples as examples_of
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.progress import Advance

if TYPE_CHECKING:
    import numpy as np

DROPPED = -1
TOLD = 1_000  # rows between two tellings


class Part:
    """What was seen of one part of a source; index ``i`` is its example ``i + 1``."""

    def __init__(self) -> None:
        self._hashes, self._groups = array("Q"), array("Q")
        self._kinds = array("i")
        self._lengths, self._written = array("i"), array("i")
        self._numbers = array("d")  # targets that are numbers
        self._masked: dict[int, tuple[str, ...]] = {}  # kinds of what was masked in an example, if anything was
        self.known: dict[tuple[str, ...], int] = {}  # labels of an example as written: in which order seen
        self.first: dict[str, str] = {}  # where each label is first, as it is written
        self.skipped: list[str] = []  # what was wrong with each row that was left out for it

    def see(self, rows: Iterable[Row], form: Form, *, skip: bool = False, advance: Advance = lambda rows: None) -> None:
        """Take in every row, telling ``advance`` how many now and then.

        Args:
            skip: leave bad rows out.
        """
        for row in rows:
            if row.number % TOLD == 0:
                advance(TOLD)
            try:
                examples = list(examples_of(form, row))
            except BadRow as error:
                if not skip:
                    raise
                self.skipped.append(str(error))
                continue
            for example in examples:
                if example.masked:
                    self._masked[len(self._hashes)] = example.masked
                found = example.values if example.key else ()
                for value in found:
                    self.first.setdefault(value, row.where)
                self._hashes.append(_digest(example.key))
                self._groups.append(_digest(example.group or example.key))
                self._kinds.append(self.known.setdefault(found, len(self.known)) if example.key else DROPPED)
                self._lengths.append(len(example.key))
                self._written.append(example.written)
                self._numbers.append(example.target if isinstance(example.target, float) else math.nan)

    def settle(self, labels: Labels) -> None:
        """Check that every label as written is one.  Raises for the first that is not."""
        for value, where in self.first.items():
            if value not in labels.told:
                labels.number(value, where)
        self._told = labels.told
        self._sets = [sorted({self._place(value, labels) for value in found}) for found in self.known]
        # Labels that are written in two ways are one.
        same: dict[tuple[int, ...], int] = {}
        kinds = [same.setdefault(tuple(places), kind) for kind, places in enumerate(self._sets)]
        if kinds != list(range(len(kinds))):
            self._kinds = array("i", (kind if kind == DROPPED else kinds[kind] for kind in self._kinds))

    def counts(self, rows: np.ndarray) -> list[int]:
        """How many of ``rows`` have each label that is told."""
        import numpy as np

        kinds = np.bincount(self.strata[rows], minlength=len(self._sets))
        found = [0] * len(self._told)
        for count, places in zip(kinds.tolist(), self._sets, strict=True):
            for place in places:
                found[place] += count
        return found

    def masked(self, rows: np.ndarray, kinds: Sequence[str]) -> dict[str, int]:
        """How often each kind was masked in ``rows``."""
        import numpy as np

        there = np.intersect1d(rows, np.fromiter(self._masked, np.int64, len(self._masked))).tolist()
        counts = Counter(kind for row in there for kind in self._masked[row])
        return {kind: counts[kind] for kind in kinds}

    @property
    def strata(self) -> np.ndarray:
        """Which of the sets of labels that there are each example has (int32)."""
        import numpy as np

        return np.array(self._kinds, np.int32)

    @property
    def numbers(self) -> np.ndarray:
        """The targets (float64); NaN where they are no numbers."""
        import numpy as np

        return np.array(self._numbers, np.float64)

    @property
    def hashes(self) -> np.ndarray:
        """Of the text of each example (uint64); texts that differ in case only are the same text."""
        return _as_numbers(self._hashes)

    @property
    def groups(self) -> np.ndarray:
        """Of what must not be in two splits (uint64): the text, or what several examples have in common."""
        return _as_numbers(self._groups)

    @property
    def lengths(self) -> np.ndarray:
        """Characters of each example (int32)."""
        import numpy as np

        return np.array(self._lengths, np.int32)

    @property
    def written(self) -> np.ndarray:
        """Characters of each text to write (int32); 0 where a target is something else."""
        import numpy as np

        return np.array(self._written, np.int32)

    @property
    def taken(self) -> np.ndarray:
        """The examples that have a text."""
        import numpy as np

        return np.flatnonzero(self.strata != DROPPED)

    def _place(self, value: str, labels: Labels) -> int:
        return self._told.index(value) if value in self._told else labels.number(value)


def describe(parts: Mapping[str, tuple[Part, np.ndarray]], names: Sequence[str]) -> dict[str, Any]:
    """What is in each split, and what is odd: plain JSON."""
    splits = list(parts)
    shared = {
        f"{one} and {other}": _rows_with(parts[other], parts[one])
        for n, one in enumerate(splits)
        for other in splits[n + 1 :]
    }
    return {
        "labels": list(names),
        "splits": {split: _describe(part, rows, names) for split, (part, rows) in parts.items()},
        "shared": {pair: count for pair, count in shared.items() if count},
    }


def _describe(part: Part, rows: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    import numpy as np

    strata, hashes = part.strata[rows], part.hashes[rows]
    order = np.lexsort((strata, hashes))
    same_text = hashes[order][1:] == hashes[order][:-1]
    other_label = strata[order][1:] != strata[order][:-1]
    found = {
        "rows": len(rows),
        "per_label": dict(zip(names, part.counts(rows), strict=True)),
        "repeated": len(rows) - len(np.unique(hashes)),
        "contradicting": len(np.unique(hashes[order][1:][same_text & other_label])),
        "characters": _sizes(part.lengths[rows]),
    }
    if (written := part.written[rows]).any():
        found["written"] = _sizes(written)
    numbers = part.numbers[rows]
    if np.isfinite(numbers).any():
        spread = {"lowest": numbers.min(), "mean": numbers.mean(), "highest": numbers.max()}
        found["numbers"] = {name: round(float(value), 4) for name, value in spread.items()}
    return found


def _sizes(lengths: np.ndarray) -> dict[str, float]:
    """How long texts are, in characters."""
    import numpy as np

    ordered = np.sort(lengths) if len(lengths) else np.zeros(1, np.int32)
    return {
        "shortest": int(ordered[0]),
        "median": int(ordered[len(ordered) // 2]),
        "95%": int(ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]),
        "longest": int(ordered[-1]),
        "mean": round(float(ordered.mean()), 1),
    }


def _rows_with(one: tuple[Part, np.ndarray], other: tuple[Part, np.ndarray]) -> int:
    """How many rows of ``one`` have a text that is in ``other``."""
    import numpy as np

    (part, rows), (theirs, others) = one, other
    return int(np.isin(part.hashes[rows], theirs.hashes[others]).sum())


def _as_numbers(hashes: array[int]) -> np.ndarray:
    import numpy as np

    return np.frombuffer(hashes, np.uint64) if hashes else np.zeros(0, np.uint64)


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.casefold().encode(), digest_size=8).digest(), "big")
