"""One label for a text, or for a pair of texts.

Logits are examples × labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.corpora.columns import column
from pipeline.corpora.forms import Labelled
from pipeline.features import Features
from pipeline.fields import Invalid, Positive, neutral, require, sought
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers, texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

HEADLINE = ("accuracy", "f1", "matthews", "baseline_accuracy")  # what people look at first


@dataclass(frozen=True)
class Classification:
    """Learn the ``label`` of a ``text``."""

    # What columns are called counts where they are read, in ``form``, and for nothing that comes after.
    text: str = neutral("text")
    """the column of the text"""
    label: str = neutral("label")
    """the column of the label"""
    positive: Positive = ""
    """of two labels, the one to find: its F1 is told, and it is answered above the probability that is best for that; of
    several names the first that is there"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "classification"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "f1")
    columns: ClassVar[Mapping[str, str]] = {"label": "int32"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.text != self.label, f"text and label are both the column {self.text!r}")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return texts.encode(tokenizers.text, examples, ("text",), max_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits, features.numbers("label"), labels, self.positive, decision)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return decide(logits, features.numbers("label"), labels, self.positive)


@dataclass(frozen=True)
class PairClassification:
    """Learn the ``label`` of two texts, ``first`` and ``second``."""

    first: str = neutral("first")
    """the column of the first text"""
    second: str = neutral("second")
    """the column of the second"""
    label: str = neutral("label")
    """the column of the label"""
    positive: Positive = ""
    """of two labels, the one to find: its F1 is told, and it is answered above the probability that is best for that; of
    several names the first that is there"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "classification"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "f1")
    columns: ClassVar[Mapping[str, str]] = {"label": "int32"}
    segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(len({self.first, self.second, self.label}) == 3, "first, second and label must be three columns")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return texts.encode(tokenizers.text, examples, ("first", "second"), max_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits, features.numbers("label"), labels, self.positive, decision)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return decide(logits, features.numbers("label"), labels, self.positive)


def monitor(
    logits: np.ndarray,
    targets: np.ndarray,
    labels: list[str],
    positive: Positive = "",
    decision: Decision | None = None,
) -> dict[str, float]:
    """Cross-entropy in nats, accuracy, and F1: of ``positive`` with the threshold of ``decision`` or that which is best for
    these examples, or the mean of the labels that occur among targets or answers."""
    import numpy as np

    shares = probabilities(logits)
    chances = shares[np.arange(len(targets)), targets]
    answers = _answers(shares, labels, decide(logits, targets, labels, positive) if decision is None else decision)
    return {
        "loss": float(-np.log(np.maximum(chances, 1e-30)).mean()),
        "accuracy": _accuracy(answers, targets),
        "f1": _f1(labels, sought(labels, positive))(answers, targets),
    }


def decide(logits: np.ndarray, targets: np.ndarray, labels: list[str], positive: Positive) -> Decision:
    """The probability above which ``positive`` is answered, if one is named: that of the best F1."""
    from pipeline.metrics import multilabel

    name = sought(labels, positive)
    if not name:
        return {}
    place = labels.index(name)
    return {"threshold": multilabel.threshold(probabilities(logits)[:, place], targets == place), "positive": name}


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"label": name, "probabilities": {name: share}}`` for each example."""
    shares = probabilities(evidence.logits)
    for row, answer in zip(shares.tolist(), _answers(shares, evidence.labels, evidence.decision).tolist(), strict=True):
        chances = {name: round(share, 6) for name, share in zip(evidence.labels, row, strict=True)}
        yield {"label": evidence.labels[answer], "probabilities": chances}


def judge(evidence: Evidence) -> Scored:
    """Accuracy, precision, recall and F1 (macro and weighted), Matthews' correlation; ``baseline_accuracy`` is that of
    always answering the commonest label of what was learned from.  Where one of two labels is to be found, ``f1`` and the
    like are its own, and ``baseline_f1`` is that of always answering it.

    Details: per label, confusion matrix, and 95% bootstrap intervals.
    """
    import numpy as np

    from pipeline.metrics import classification as metrics
    from pipeline.metrics.intervals import bootstrap

    labels, positive = evidence.labels, evidence.decision.get("positive", "")
    answers, targets = (
        _answers(probabilities(evidence.logits), labels, evidence.decision),
        evidence.corpus["label"].to_numpy(),
    )
    found = metrics.scores(answers, targets)
    details = metrics.details(answers, targets, labels)
    if evidence.train is not None:
        commonest = np.bincount(evidence.train["label"].to_numpy()).argmax()
        found["baseline_accuracy"] = float((targets == commonest).mean())
    if positive:
        found |= {name: value for name, value in details["labels"][positive].items() if name != "rows"}
        found["baseline_f1"] = _f1(labels, positive)(np.full_like(targets, labels.index(positive)), targets)
    first = sorted(HEADLINE, key=lambda name: name != "f1") if positive else HEADLINE
    order = [*(n for n in first if n in found), *(n for n in found if n not in HEADLINE)]
    scores = {name: round(found[name], 6) for name in order}
    details["intervals"] = {
        name: [round(bound, 6) for bound in bootstrap(statistic, answers, targets)]
        for name, statistic in (("accuracy", _accuracy), ("f1", _f1(labels, positive)))
    }
    return scores, details


def form(task: Classification | PairClassification) -> Labelled:
    """Rows with a text, or two, and its label."""
    label = column("label", task.label, *texts.LABEL, target=True)
    if isinstance(task, Classification):
        return Labelled(((column("text", task.text, *texts.TEXT), label),), positive=task.positive)
    first, second = column("first", task.first, *texts.FIRST), column("second", task.second, *texts.SECOND)
    return Labelled(((first, second, label),), positive=task.positive)


JUDGING = Judging(decode, judge)
KIND = Kind(form, JUDGING)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in double precision."""
    import numpy as np

    raised = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(-1, keepdims=True)
    return shares


def _answers(shares: np.ndarray, labels: list[str], decision: Decision) -> np.ndarray:
    """The number of the label that is answered to each example."""
    import numpy as np

    if "threshold" not in decision:
        found: np.ndarray = shares.argmax(-1)
        return found
    place = labels.index(decision["positive"])
    return np.where(shares[:, place] >= decision["threshold"], place, 1 - place)


def _accuracy(answers: np.ndarray, targets: np.ndarray) -> float:
    return float((answers == targets).mean())


def _f1(labels: list[str], positive: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """F1 of one label, or the mean of that of all that occur."""
    place = labels.index(positive) if positive in labels else None

    def f1(answers: np.ndarray, targets: np.ndarray) -> float:
        import numpy as np

        size = int(max(answers.max(), targets.max())) + 1
        hits = np.bincount(targets[answers == targets], minlength=size)
        either = np.bincount(targets, minlength=size) + np.bincount(answers, minlength=size)
        if place is not None:
            return float(2 * hits[place] / either[place]) if place < size and either[place] else 0.0
        return float((2 * hits[either > 0] / either[either > 0]).mean())

    return f1
