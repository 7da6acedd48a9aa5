"""Metrics of answers that are numbers."""

from __future__ import annotations

import numpy as np
from scipy import stats
from sklearn import metrics


def scores(answers: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Pearson's and Spearman's correlation, mean absolute error, mean squared error and its root, and R².

    Correlations are 0 where one side is constant, R² where targets are: there is nothing to explain.
    """
    answers, targets = np.asarray(answers, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    varied = np.ptp(targets) > 0
    return {
        "pearson": pearson(answers, targets),
        "spearman": spearman(answers, targets),
        "mae": mae(answers, targets),
        "mse": float(metrics.mean_squared_error(targets, answers)),
        "rmse": float(metrics.root_mean_squared_error(targets, answers)),
        "r2": float(metrics.r2_score(targets, answers)) if varied else 0.0,
    }


def pearson(answers: np.ndarray, targets: np.ndarray) -> float:
    """By itself for intervals, which ask a thousand times."""
    return float(stats.pearsonr(answers, targets).statistic) if np.ptp(answers) > 0 and np.ptp(targets) > 0 else 0.0


def spearman(answers: np.ndarray, targets: np.ndarray) -> float:
    """As :func:`pearson`, of ranks."""
    return pearson(stats.rankdata(answers), stats.rankdata(targets))


def mae(answers: np.ndarray, targets: np.ndarray) -> float:
    """The mean absolute error."""
    return float(np.abs(answers - targets).mean())


def ordinal(answers: np.ndarray, targets: np.ndarray, values: np.ndarray | None = None) -> dict[str, float]:
    """For targets that are whole numbers, such as stars: the share of answers that are right, and of those at most one
    off, and the quadratic weighted kappa (Cohen 1968), after each answer is taken for the nearest of ``values`` and of
    those that occur among the targets, the higher of two.

    Kappa is 1 less the mean squared distance over what it would be, were answers dealt out anew; 0 where all are one
    value. scikit-learn's is the same, but takes places in the list of values for the values, which goes wrong where
    one is missing, or a table of range × range.
    """
    answers, targets = np.asarray(answers, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    values = np.unique(targets if values is None else np.concatenate([targets, values]))
    answers = values[np.searchsorted((values[1:] + values[:-1]) / 2, answers, side="right")]
    distance = np.abs(answers - targets)
    chance = answers.var() + targets.var() + (answers.mean() - targets.mean()) ** 2
    return {
        "exact": float((distance == 0).mean()),
        "within_one": float((distance <= 1).mean()),
        "kappa": float(1 - (distance**2).mean() / chance) if chance > 0 else 0.0,
    }
