"""Metrics of answers that are any number of labels each, over scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics


def scores(answers: np.ndarray, targets: np.ndarray, chances: np.ndarray) -> dict[str, float]:
    """F1 (means over labels, over all answers, and over examples), precision and recall (means over labels), the
    share of examples with all labels right, and how high the probabilities rank true labels.

    What is undefined counts as 0, also in a mean: a label that is neither true nor answered, an example without any.
    ``label_ranking`` is the label ranking average precision (Tsoumakas et al. 2010) of the examples that have a label.

    Args:
        answers: examples × labels, boolean.
        targets: of that shape.
        chances: probabilities, of that shape.
    """
    found = {}
    for average, suffix in (("macro", ""), ("micro", "_micro"), ("samples", "_samples")):
        precision, recall, f1, _ = _values(answers, targets, average)
        found["f1" + suffix] = float(f1)
        if average == "macro":
            found |= {"precision": float(precision), "recall": float(recall)}
    found["subset_accuracy"] = float((answers == targets).all(1).mean())
    some = targets.any(1)
    found["label_ranking"] = (
        float(metrics.label_ranking_average_precision_score(targets[some], chances[some])) if some.any() else 0.0
    )
    return found


def per_label(answers: np.ndarray, targets: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and the number of examples, ``rows``, of each label; shapes are those of ``scores``."""
    values = _values(answers, targets, None)
    return {
        label: {
            name: float(column[i]) for name, column in zip(("precision", "recall", "f1", "rows"), values, strict=True)
        }
        for i, label in enumerate(names)
    }


def _values(answers: np.ndarray, targets: np.ndarray, average: str | None) -> tuple[np.ndarray, ...]:
    """Precision, recall, F1 and rows. One column more, always empty, for scikit-learn takes a single one for two
    classes of which each example has one.
    """
    wide = [np.pad(np.asarray(each, dtype=bool), ((0, 0), (0, 1))) for each in (targets, answers)]
    labels = list(range(targets.shape[1]))
    values: tuple[np.ndarray, ...] = metrics.precision_recall_fscore_support(
        *wide, labels=labels, average=average, zero_division=0.0
    )
    return values


def thresholds(chances: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """``threshold`` of each label; both are examples × labels. To be found on the validation split only."""
    return np.array([threshold(chances[:, i], targets[:, i]) for i in range(targets.shape[1])], dtype=np.float64)


def threshold(chances: np.ndarray, positive: np.ndarray) -> float:
    """Where to cut so that answering what is ``chances >= threshold`` has the best F1 on these rows.

    All cuts are tried. The threshold lies half-way between the neighbours of the cut, at half the lowest
    probability where everything is answered, and at 0.5 where nothing is positive; of equally good ones the nearest
    to 0.5. It is seldom 0.5 itself: for calibrated probabilities it is half the best F1 (Lipton et al. 2014,
    https://arxiv.org/abs/1402.1892).

    Args:
        chances: probabilities, one a row.
        positive: whether the label is true, one a row.
    """
    chances, positive = np.asarray(chances), np.asarray(positive, dtype=bool)
    if not positive.any():
        return 0.5
    order = np.argsort(-chances)
    values, hits = chances[order], np.cumsum(positive[order])
    below = np.append(values[1:], values.dtype.type(0))
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + hits[-1])
    f1[:-1][values[1:] == values[:-1]] = -1.0  # no cut goes between equal probabilities
    middles = (values + below) / 2  # in the precision of the probabilities, which are compared in it
    middles = np.where(middles > below, middles, values)  # neighbours so near that nothing is between them
    best = middles[f1 == f1.max()]
    return float(best[np.abs(best - 0.5).argmin()])
