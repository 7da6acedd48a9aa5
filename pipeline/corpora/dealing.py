"""Which rows of a part come into which split, and which of a split are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.corpora.survey import Part

if TYPE_CHECKING:
    import numpy as np

RARE = 20  # examples of a combination of labels, below which it is not dealt by itself


def divide(part: Part, shares: Sequence[tuple[str, float]], seed: int) -> dict[str, np.ndarray]:
    """Deal a part's rows to splits, each label evenly, equal texts together; what is left is ``train``, and so is a text
    with more rows than a split is to have, unless that split had none.

    Which row goes where depends on its text and the seed, not on its place, so that adding a row
    moves hardly any other.  Rows come in their old order.
    """
    import numpy as np

    rows = part.taken
    texts, first, which, counts = np.unique(
        part.groups[rows], return_index=True, return_inverse=True, return_counts=True
    )
    owner = _pooled(part, part.strata[rows[first]])
    place = np.zeros(len(texts), np.int8)  # 0 for train, then the shares in order
    for label in np.unique(owner):
        mine = np.flatnonzero(owner == label)
        sizes = [round(int(counts[mine].sum()) * share) for _, share in shares]
        large = counts[mine] > min([size for size in sizes if size], default=0)
        order = np.lexsort((_mixed(texts[mine], seed), np.where(large, counts[mine], 0)))  # what is large comes last
        mine, large = mine[order], large[order]
        filled = np.cumsum(counts[mine]) - counts[mine]  # rows dealt before each text
        found = np.searchsorted(np.cumsum(sizes), filled, side="right")
        found[large & _too_many(found, counts[mine])] = len(shares)
        place[mine] = np.where(found < len(shares), found + 1, 0)
    names = ["train", *(split for split, _ in shares)]
    return {name: rows[place[which] == number] for number, name in enumerate(names)}


def _too_many(found: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Which texts are not the first of their split, or more than half of all rows."""
    import numpy as np

    later = np.ones(len(found), bool)
    later[np.unique(found, return_index=True)[1]] = False
    too_many: np.ndarray = later | (counts * 2 > counts.sum())
    return too_many


def _pooled(part: Part, strata: np.ndarray) -> np.ndarray:
    """Rare combinations of labels made one stratum: of two rows, a tenth is none."""
    import numpy as np

    combined = np.array([len(found) > 1 for found in part.known], bool)
    rare = np.bincount(strata, minlength=len(combined)) < RARE
    pooled: np.ndarray = np.where((combined & rare)[strata], len(combined), strata)
    return pooled


def sample(part: Part, rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most ``limit`` of ``rows``, each label evenly, in their old order."""
    import numpy as np

    # Each label's rows are put on one scale from 0 to 1; taking the lowest keeps the proportions.
    strata = _pooled(part, part.strata[rows])
    order = np.lexsort((_mixed(part.hashes[rows], seed), strata))
    sizes = np.bincount(strata)
    places = np.arange(len(rows)) - (np.cumsum(sizes) - sizes)[strata[order]]
    scale = np.empty(len(rows))
    scale[order] = (places + 0.5) / sizes[strata[order]]
    return np.sort(rows[np.argsort(scale, kind="stable")[:limit]])


def without_repeats(part: Part, rows: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
    """``rows`` less those whose text came before or whose hash is ``elsewhere``."""
    import numpy as np

    _, first = np.unique(part.hashes[rows], return_index=True)
    kept = rows[np.sort(first)]
    return kept[~np.isin(part.hashes[kept], elsewhere)]


def _mixed(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Other numbers for every seed, in an order that has nothing to do with the old: SplitMix64 (Steele et al. 2014)."""
    import numpy as np

    start = np.array([(seed + 1) * 0x9E3779B97F4A7C15 % 2**64], np.uint64)
    mixed = hashes + start
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
