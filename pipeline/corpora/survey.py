"""A first look at every row: what there is, which rows to take, and what is odd about them.

Keeps some twenty bytes a row, so that files of millions of rows need no more memory than that.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from pipeline.corpora.labels import Labels, plain
from pipeline.corpora.rows import Row

DROPPED = -1


class Part:
    """What was seen of one part of a source; index ``i`` is row ``i + 1``."""

    def __init__(self) -> None:
        self.hashes = array("Q")  # of the text
        self.labels = array("i")  # index into ``values`` first, the label's number once settled; DROPPED for no text
        self.lengths = array("i")  # characters
        self.values: dict[str, int] = {}  # label as written: in which order seen
        self.first: dict[str, Row] = {}  # the first row of each label, to point at

    def see(self, rows: Iterable[Row]) -> None:
        for row in rows:
            text = row.text.strip()
            value = plain(row.label)
            if value not in self.values:
                self.values[value] = len(self.values)
                self.first[value] = row
            self.hashes.append(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big"))
            self.labels.append(self.values[value] if text else DROPPED)
            self.lengths.append(len(text))

    def used(self) -> list[str]:
        """The labels as written, of rows that have text."""
        numbers = set(self.labels)
        return [value for value, at in self.values.items() if at in numbers]

    def settle(self, labels: Labels) -> None:
        """Turn values as written into the labels' numbers.  Raises for the first row with a wrong one."""
        numbers = {self.values[value]: labels.number(self.first[value]) for value in self.used()}
        self.labels = array("i", (numbers.get(seen, DROPPED) for seen in self.labels))


def divide(part: Part, shares: Sequence[tuple[str, float]], seed: int) -> dict[str, list[int]]:
    """Deal a part's rows to splits, each label evenly, equal texts together; what is left is ``train``.

    Which row goes where depends on its text and the seed, not on its place, so that adding a row
    moves hardly any other.  Rows come in their old order.
    """
    texts: dict[int, dict[int, list[int]]] = {}  # label: hash: rows
    owner: dict[int, int] = {}
    for i, (label, text) in enumerate(zip(part.labels, part.hashes, strict=True)):
        if label != DROPPED:
            texts.setdefault(owner.setdefault(text, label), {}).setdefault(text, []).append(i)
    dealt: dict[str, list[int]] = {"train": [], **{split: [] for split, _ in shares}}
    for _, groups in sorted(texts.items()):
        order = iter(sorted(groups, key=lambda text: _mixed(text, seed)))
        total = sum(map(len, groups.values()))
        for split, share in shares:
            want = round(total * share)
            while want > 0 and (chosen := next(order, None)) is not None:
                dealt[split] += groups[chosen]
                want -= len(groups[chosen])
        dealt["train"] += [i for text in order for i in groups[text]]
    return {split: sorted(rows) for split, rows in dealt.items()}


def sample(part: Part, rows: Sequence[int], limit: int, seed: int) -> list[int]:
    """At most ``limit`` of ``rows``, each label evenly, in their old order."""
    by_label: dict[int, list[int]] = {}
    for i in rows:
        by_label.setdefault(part.labels[i], []).append(i)
    shuffled = {label: sorted(mine, key=lambda i: _mixed(part.hashes[i], seed)) for label, mine in by_label.items()}
    # Dealing every label along one scale from 0 to 1 and taking the lowest keeps the proportions.
    scale = [((n + 0.5) / len(mine), label, i) for label, mine in shuffled.items() for n, i in enumerate(mine)]
    return sorted(i for _, _, i in sorted(scale)[:limit])


def without_repeats(part: Part, rows: Sequence[int], elsewhere: set[int]) -> list[int]:
    """``rows`` less those whose text came before or stands in ``elsewhere``."""
    seen, kept = set(elsewhere), []
    for i in rows:
        if part.hashes[i] not in seen:
            seen.add(part.hashes[i])
            kept.append(i)
    return kept


def describe(parts: dict[str, tuple[Part, Sequence[int]]], names: Sequence[str]) -> dict[str, Any]:
    """What is in each split, and what is odd: plain JSON."""
    texts = {split: {part.hashes[i] for i in rows} for split, (part, rows) in parts.items()}
    splits = list(parts)
    shared = {
        f"{one} and {other}": _rows_with(parts[other], texts[one])
        for n, one in enumerate(splits)
        for other in splits[n + 1 :]
    }
    return {
        "labels": list(names),
        "splits": {split: _describe(part, rows, names) for split, (part, rows) in parts.items()},
        "shared": {pair: count for pair, count in shared.items() if count},
    }


def _describe(part: Part, rows: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    counts = Counter(part.labels[i] for i in rows)
    lengths = sorted(part.lengths[i] for i in rows) or [0]
    meanings: dict[int, set[int]] = {}
    for i in rows:
        meanings.setdefault(part.hashes[i], set()).add(part.labels[i])
    return {
        "rows": len(rows),
        "per_label": {name: counts[number] for number, name in enumerate(names)},
        "repeated": len(rows) - len(meanings),
        "contradicting": sum(len(labels) > 1 for labels in meanings.values()),
        "characters": {
            "shortest": lengths[0],
            "median": lengths[len(lengths) // 2],
            "95%": lengths[min(len(lengths) - 1, len(lengths) * 95 // 100)],
            "longest": lengths[-1],
        },
    }


def _rows_with(part_and_rows: tuple[Part, Sequence[int]], texts: set[int]) -> int:
    part, rows = part_and_rows
    return sum(part.hashes[i] in texts for i in rows)


def _mixed(text: int, seed: int) -> bytes:
    return blake2b(f"{seed}:{text}".encode(), digest_size=8).digest()
