"""A first look at every row: what there is, which rows to take, and what is odd about them.

Keeps some twenty bytes a row, so that files of millions of rows need no more memory than that.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pipeline.corpora.labels import Labels, plain
from pipeline.corpora.rows import Row
from pipeline.progress import Advance

if TYPE_CHECKING:
    import numpy as np

DROPPED = -1
TOLD = 1_000  # rows between two tellings


class Part:
    """What was seen of one part of a source; index ``i`` is row ``i + 1``."""

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._labels = array("i")
        self._lengths = array("i")
        self._values: dict[str, int] = {}  # label as written: in which order seen
        self._first: dict[str, Row] = {}  # the first row of each label that has a text

    def see(self, rows: Iterable[Row], advance: Advance = lambda rows: None) -> None:
        """Take in every row, telling ``advance`` how many now and then."""
        for row in rows:
            if row.number % TOLD == 0:
                advance(TOLD)
            text = row.text.strip()
            value = plain(row.label)
            if text and value not in self._values:
                self._values[value] = len(self._values)
                self._first[value] = row
            self._hashes.append(_digest(text))
            self._labels.append(self._values[value] if text else DROPPED)
            self._lengths.append(len(text))

    def settle(self, labels: Labels) -> None:
        """Turn labels as written into their numbers.  Raises for the first row with a wrong one."""
        import numpy as np

        numbers = [labels.number(row) for row in self._first.values()]
        self.labels = np.array([*numbers, DROPPED], np.int32)[np.array(self._labels)]

    @property
    def first(self) -> Mapping[str, Row]:
        """The first row of each label as it is written."""
        return self._first

    @property
    def hashes(self) -> np.ndarray:
        """Of the text of each row (uint64); texts that differ in case only are the same text."""
        import numpy as np

        return np.frombuffer(self._hashes, np.uint64) if self._hashes else np.zeros(0, np.uint64)

    @property
    def lengths(self) -> np.ndarray:
        """Characters of each row (int32)."""
        import numpy as np

        return np.array(self._lengths, np.int32)

    @property
    def taken(self) -> np.ndarray:
        """The rows that have a text."""
        import numpy as np

        return np.flatnonzero(self.labels != DROPPED)


def divide(part: Part, shares: Sequence[tuple[str, float]], seed: int) -> dict[str, np.ndarray]:
    """Deal a part's rows to splits, each label evenly, equal texts together; what is left is ``train``.

    Which row goes where depends on its text and the seed, not on its place, so that adding a row
    moves hardly any other.  Rows come in their old order.
    """
    import numpy as np

    rows = part.taken
    texts, first, which, counts = np.unique(
        part.hashes[rows], return_index=True, return_inverse=True, return_counts=True
    )
    owner = part.labels[rows[first]]
    place = np.zeros(len(texts), np.int8)  # 0 for train, then the shares in order
    for label in np.unique(owner):
        mine = np.flatnonzero(owner == label)
        mine = mine[np.argsort(_mixed(texts[mine], seed))]
        filled = np.cumsum(counts[mine]) - counts[mine]  # rows dealt before each text
        bounds = np.cumsum([round(int(counts[mine].sum()) * share) for _, share in shares])
        found = np.searchsorted(bounds, filled, side="right")
        place[mine] = np.where(found < len(shares), found + 1, 0)
    names = ["train", *(split for split, _ in shares)]
    return {name: rows[place[which] == number] for number, name in enumerate(names)}


def sample(part: Part, rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most ``limit`` of ``rows``, each label evenly, in their old order."""
    import numpy as np

    # Each label's rows are put on one scale from 0 to 1; taking the lowest keeps the proportions.
    scale = np.zeros(len(rows))
    for label in np.unique(part.labels[rows]):
        mine = np.flatnonzero(part.labels[rows] == label)
        ranks = np.argsort(np.argsort(_mixed(part.hashes[rows[mine]], seed), kind="stable"), kind="stable")
        scale[mine] = (ranks + 0.5) / len(mine)
    return np.sort(rows[np.argsort(scale, kind="stable")[:limit]])


def without_repeats(part: Part, rows: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """``rows`` less those whose text came before or whose hash is ``elsewhere``."""
    import numpy as np

    _, first = np.unique(part.hashes[rows], return_index=True)
    kept = rows[np.sort(first)]
    return kept[~np.isin(part.hashes[kept], elsewhere)]


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

    labels, hashes = part.labels[rows], part.hashes[rows]
    counts = np.bincount(labels, minlength=len(names))
    lengths = np.sort(part.lengths[rows]) if len(rows) else np.zeros(1, np.int32)
    texts = len(np.unique(hashes))
    order = np.lexsort((labels, hashes))
    same_text = hashes[order][1:] == hashes[order][:-1]
    other_label = labels[order][1:] != labels[order][:-1]
    return {
        "rows": len(rows),
        "per_label": {name: int(count) for name, count in zip(names, counts, strict=True)},
        "repeated": len(rows) - texts,
        "contradicting": len(np.unique(hashes[order][1:][same_text & other_label])),
        "characters": {
            "shortest": int(lengths[0]),
            "median": int(lengths[len(lengths) // 2]),
            "95%": int(lengths[min(len(lengths) - 1, len(lengths) * 95 // 100)]),
            "longest": int(lengths[-1]),
        },
    }


def _rows_with(one: tuple[Part, np.ndarray], other: tuple[Part, np.ndarray]) -> int:
    """How many rows of ``one`` have a text that is in ``other``."""
    import numpy as np

    (part, rows), (theirs, others) = one, other
    return int(np.isin(part.hashes[rows], theirs.hashes[others]).sum())


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.casefold().encode(), digest_size=8).digest(), "big")


def _mixed(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Other numbers for every seed, in an order that has nothing to do with the old: SplitMix64 (Steele et al. 2014)."""
    import numpy as np

    start = np.array([(seed + 1) * 0x9E3779B97F4A7C15 % 2**64], np.uint64)
    mixed = hashes + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
