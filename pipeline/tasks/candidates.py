"""The best answers to questions, over all windows of their passages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.features import Features
from pipeline.tasks.windows import NONE

if TYPE_CHECKING:
    import numpy as np

BEST = 20  # starts and ends of each window that are looked at
NULL = 0  # the token that stands for no answer


@dataclass(frozen=True)
class Candidates:
    """The best answers to a question as (score, begin, end), in characters, and the score of there being none."""

    spans: list[tuple[float, int, int]]
    null: float


def answered(logits: np.ndarray, features: Features, longest: int, count: int) -> list[Candidates]:
    """For each question, its best ``count`` answers over all windows, and the null score of the window least sure of it."""
    import numpy as np

    begins, ends = features.lists("begin"), features.lists("end")
    found: list[Candidates] = []
    for row in range(len(features)):
        scores = logits[features.starts[row] : features.starts[row + 1]].astype(np.float64)
        spans = _window(scores, begins.row(row), ends.row(row), longest)
        null = float(scores[NULL].sum())
        if features.examples[row] == len(found):
            found.append(Candidates(spans, null))
        else:
            found[-1] = Candidates(found[-1].spans + spans, min(found[-1].null, null))
    return [Candidates(_distinct(each.spans, count), each.null) for each in found]


def _window(scores: np.ndarray, begins: np.ndarray, ends: np.ndarray, longest: int) -> list[tuple[float, int, int]]:
    """The best answers of one window."""
    import numpy as np

    inside = np.flatnonzero(begins != NONE)
    start, end = (inside[np.argsort(-scores[inside, side], kind="stable")[:BEST]] for side in (0, 1))
    length = end[None, :] - start[:, None]
    first, last = np.nonzero((length >= 0) & (length < longest))
    totals = scores[start[first], 0] + scores[end[last], 1]
    order = np.argsort(-totals, kind="stable")[:BEST]
    return [(float(totals[n]), int(begins[start[first[n]]]), int(ends[end[last[n]]])) for n in order]


def _distinct(spans: list[tuple[float, int, int]], count: int) -> list[tuple[float, int, int]]:
    best: dict[tuple[int, int], float] = {}
    for score, begin, end in sorted(spans, reverse=True):
        best.setdefault((begin, end), score)
    return [(score, begin, end) for (begin, end), score in list(best.items())[:count]]


def chosen(found: Candidates, threshold: float | None) -> tuple[int, int]:
    """Where the answer is; (0, 0) for none."""
    if not found.spans:
        return 0, 0
    score, begin, end = found.spans[0]
    return (0, 0) if threshold is not None and found.null - score > threshold else (begin, end)


def best_threshold(best: list[Candidates], spans: list[tuple[int, int]]) -> float:
    """The threshold that gets the most questions right, half-way between two margins; 0 where no question has a candidate."""
    import numpy as np

    known = [(found, span) for found, span in zip(best, spans, strict=True) if found.spans]
    if not known:
        return 0.0
    margins = np.array([found.null - found.spans[0][0] for found, _ in known])
    order = np.argsort(margins, kind="stable")
    without = np.array([span == (0, 0) for _, span in known])[order]
    right = np.array([found.spans[0][1:] == span for found, span in known])[order]
    # Below the threshold the answer is given, above it none.
    gained = np.concatenate([[0], np.cumsum(right)]) + np.concatenate([np.cumsum(without[::-1])[::-1], [0]])
    gained[1:-1][np.diff(margins[order]) == 0] = -1  # nothing goes between equal margins
    place = int(gained.argmax())
    edges = np.concatenate([[margins.min() - 1], margins[order], [margins.max() + 1]])
    return float((edges[place] + edges[place + 1]) / 2)
