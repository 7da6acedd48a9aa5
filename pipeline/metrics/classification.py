"""Metrics of answers that are one label each, over scikit-learn."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
from sklearn import metrics

CITATION = "Pedregosa et al. (2011). Scikit-learn: Machine Learning in Python. JMLR 12."


class _Labels(evaluate.Metric):
    """Numbers of labels against numbers of labels."""

    def _info(self) -> evaluate.MetricInfo:
        number = datasets.Value("int32")
        features = datasets.Features({"predictions": number, "references": number})
        return evaluate.MetricInfo(
            description=type(self).__doc__ or "", citation=CITATION, inputs_description="", features=features
        )


class Accuracy(_Labels):
    """Share of right answers."""

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": float(metrics.accuracy_score(references, predictions))}


class PrecisionRecallF1(_Labels):
    """Precision, recall and F1: means over labels (macro), and means weighted by the labels' frequency."""

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        found = {}
        for average, suffix in (("macro", ""), ("weighted", "_weighted")):
            values = metrics.precision_recall_fscore_support(
                references, predictions, average=average, zero_division=0.0
            )
            for name, value in zip(("precision", "recall", "f1"), values, strict=False):
                found[name + suffix] = float(value)
        return found


class Matthews(_Labels):
    """Matthews' correlation, from -1 to 1; 0 is what guessing gets."""

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"matthews": float(metrics.matthews_corrcoef(references, predictions))}


def scores(answers: Any, targets: Any) -> dict[str, float]:
    """Every metric of this module; both are numbers of labels, an example each."""
    found: dict[str, float] = {}
    for kind in (Accuracy, PrecisionRecallF1, Matthews):
        found |= kind(keep_in_memory=True).compute(predictions=answers, references=targets) or {}
    return found


def details(answers: Any, targets: Any, labels: list[str]) -> dict[str, Any]:
    """Precision, recall and F1 of each label, and the confusion matrix (a row a true label)."""
    numbers = list(range(len(labels)))
    values = metrics.precision_recall_fscore_support(targets, answers, labels=numbers, zero_division=0.0)
    names = ("precision", "recall", "f1", "rows")
    return {
        "labels": {
            label: {name: round(float(column[i]), 6) for name, column in zip(names, values, strict=True)}
            for i, label in enumerate(labels)
        },
        "confusion": metrics.confusion_matrix(targets, answers, labels=numbers).tolist(),
    }
