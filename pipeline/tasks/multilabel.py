"""Any number of labels for a text, each by itself.

Logits are examples × labels; a label's probability is the sigmoid of its logit, and it is answered from a threshold on
that is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.corpora.columns import column
from pipeline.corpora.forms import Labelled
from pipeline.features import Features
from pipeline.fields import Invalid, neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers, texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

HEADLINE = ("f1", "f1_micro", "subset_accuracy", "label_ranking", "baseline_f1")


@dataclass(frozen=True)
class MultiLabel:
    """Learn the ``labels`` of a ``text``."""

    text: str = neutral("text")
    """the column of the text"""
    labels: str = neutral("labels")
    """the column of the labels: a list, or in one cell"""
    separator: str = neutral("|")
    """between labels in one cell"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "multilabel"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "f1", "f1_micro")
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.text != self.labels, f"text and labels are both the column {self.text!r}")
        require(bool(self.separator), "separator is empty; name what stands between labels in one cell, such as |")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return texts.encode(tokenizers.text, examples, ("text",), max_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        """Binary cross-entropy in nats, a mean over examples and labels; and F1 with the thresholds that are best for
        these examples, a mean over labels and of all answers."""
        import numpy as np

        from pipeline.metrics import multilabel

        targets, shares = hot(features, len(labels)), sigmoid(logits)
        right = np.where(targets, shares, 1 - shares)
        if decision is None:
            thresholds = multilabel.thresholds(shares, targets)
        else:
            thresholds = np.array([decision["thresholds"][label] for label in labels])
        found = multilabel.scores(shares >= thresholds, targets, shares)
        return {
            "loss": float(-np.log(np.maximum(right, 1e-30)).mean()),
            "f1": found["f1"],
            "f1_micro": found["f1_micro"],
        }

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        """For each label, the probability from which on it is answered: that of the best F1."""
        from pipeline.metrics import multilabel

        found = multilabel.thresholds(sigmoid(logits), hot(features, len(labels)))
        return {"thresholds": dict(zip(labels, found.tolist(), strict=True))}


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"labels": [name, …], "probabilities": {name: share}}`` for each example."""
    shares, thresholds = sigmoid(evidence.logits), _thresholds(evidence)
    for row, answers in zip(shares.tolist(), shares >= thresholds, strict=True):
        yield {
            "labels": [name for name, answer in zip(evidence.labels, answers, strict=True) if answer],
            "probabilities": {name: round(share, 6) for name, share in zip(evidence.labels, row, strict=True)},
        }


def judge(evidence: Evidence) -> Scored:
    """F1 as a mean over labels, of all answers and as a mean over examples; precision and recall; the share of examples
    with every label right; label ranking average precision.  ``baseline_f1`` is that of answering every label always.

    Details: per label, with its threshold, and 95% bootstrap intervals.
    """
    import numpy as np

    from pipeline.metrics import multilabel
    from pipeline.metrics.intervals import bootstrap

    labels = evidence.labels
    shares, targets = sigmoid(evidence.logits), _hot(evidence.corpus["label"].to_pylist(), len(labels))
    answers = shares >= _thresholds(evidence)
    found = multilabel.scores(answers, targets, shares)
    found["baseline_f1"] = _macro_f1(np.ones_like(answers), targets)
    details: dict[str, Any] = {"labels": multilabel.per_label(answers, targets, labels)}
    for name, threshold in evidence.decision["thresholds"].items():
        details["labels"][name]["threshold"] = round(threshold, 6)
    there = (answers | targets).any(0).mean()  # all others count as 0 in the score, so in its interval too
    details["intervals"] = {
        name: [round(float(np.nan_to_num(share * bound)), 6) for bound in bootstrap(statistic, answers, targets)]
        for name, statistic, share in (("f1", _macro_f1, there), ("f1_micro", _micro_f1, 1))
    }
    return {n: round(found[n], 6) for n in [*HEADLINE, *(n for n in found if n not in HEADLINE)]}, details


def form(task: MultiLabel) -> Labelled:
    """Rows with a text and its labels."""
    labels = column("labels", task.labels, "label", "tags", "categories", target=True)
    return Labelled(((column("text", task.text, *texts.TEXT), labels),), several=True, separator=task.separator)


JUDGING = Judging(decode, judge)
KIND = Kind(form, JUDGING)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """In double precision."""
    import numpy as np

    shares: np.ndarray = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return shares


def hot(features: Features, count: int) -> np.ndarray:
    """Which labels each row has (bool, rows × labels)."""
    lists = features.lists("label")
    return _hot([lists.row(row).tolist() for row in range(len(lists))], count)


def _hot(rows: list[list[int]], count: int) -> np.ndarray:
    import numpy as np

    found = np.zeros((len(rows), count), bool)
    for place, row in enumerate(rows):
        found[place, row] = True
    return found


def _thresholds(evidence: Evidence) -> np.ndarray:
    import numpy as np

    return np.array([evidence.decision["thresholds"][name] for name in evidence.labels])


def _macro_f1(answers: np.ndarray, targets: np.ndarray) -> float:
    import numpy as np

    either = answers.sum(0) + targets.sum(0)
    there = either > 0  # of a label that no resampled row has, nothing is known
    return float((2 * (answers & targets).sum(0)[there] / either[there]).mean()) if there.any() else float(np.nan)


def _micro_f1(answers: np.ndarray, targets: np.ndarray) -> float:
    return float(2 * (answers & targets).sum() / max(1, answers.sum() + targets.sum()))
