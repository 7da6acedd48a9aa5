"""One label for a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.corpora.columns import Columns
from pipeline.fields import neutral, require

if TYPE_CHECKING:
    import numpy as np


HEADLINE = ("accuracy", "f1", "matthews", "baseline_accuracy")  # what people look at first


@dataclass(frozen=True)
class Classification:
    """Learn the ``label`` of a ``text``."""

    # What columns are called counts where they are read, as ``columns``, and for nothing that comes after.
    text: str = neutral("text")
    """the column of the text"""
    label: str = neutral("label")
    """the column of the label"""
    head: ClassVar[str] = "classification"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "f1")

    def __post_init__(self) -> None:
        require(self.text != self.label, f"text and label are both the column {self.text!r}")

    @property
    def columns(self) -> Columns:
        return Columns(self.text, self.label)

    def encode(self, tokenizer: Any, texts: Sequence[str], max_length: int) -> Any:
        tokenizer.enable_truncation(max_length)
        return tokenizer.encode_batch_fast(list(texts))

    def decode(self, logits: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
        """``{"label": name, "probabilities": {name: share}}`` for each row of ``logits`` (examples × labels)."""
        return [
            {
                "label": labels[int(row.argmax())],
                "probabilities": {name: round(float(p), 6) for name, p in zip(labels, row, strict=True)},
            }
            for row in probabilities(logits)
        ]

    def monitor(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Cross-entropy in nats, accuracy, and the mean F1 of the labels that occur among targets or answers."""
        import numpy as np

        answers = logits.argmax(-1)
        chances = probabilities(logits)[np.arange(len(targets)), targets]
        return {
            "loss": float(-np.log(np.maximum(chances, 1e-30)).mean()),
            "accuracy": float((answers == targets).mean()),
            "f1": _macro_f1(answers, targets),
        }


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in double precision."""
    import numpy as np

    raised = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(-1, keepdims=True)
    return shares


def _macro_f1(answers: np.ndarray, targets: np.ndarray) -> float:
    import numpy as np

    size = int(max(answers.max(), targets.max())) + 1
    hits = np.bincount(targets[answers == targets], minlength=size)
    either = np.bincount(targets, minlength=size) + np.bincount(answers, minlength=size)
    return float((2 * hits[either > 0] / either[either > 0]).mean())


def judge(logits: np.ndarray, targets: np.ndarray, labels: list[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores of single-label answers: accuracy, precision, recall and F1 (macro and weighted), Matthews'
    correlation; ``baseline_accuracy`` is that of always answering the commonest label.

    Args:
        logits: examples × labels.
        targets: the labels' numbers.

    Returns:
        Scores, and details: per label, confusion matrix, and 95% bootstrap intervals.
    """
    import numpy as np

    from pipeline.metrics import classification as metrics
    from pipeline.metrics.intervals import bootstrap

    answers = np.asarray(logits).argmax(-1)
    found = metrics.scores(answers, targets)
    found["baseline_accuracy"] = float(np.bincount(targets).max() / len(targets))
    scores = {name: round(found[name], 6) for name in [*HEADLINE, *(n for n in found if n not in HEADLINE)]}
    details = metrics.details(answers, targets, labels)
    details["intervals"] = {
        name: [round(bound, 6) for bound in bootstrap(statistic, answers, targets)]
        for name, statistic in (("accuracy", _accuracy), ("f1", _macro_f1))
    }
    return scores, details


def _accuracy(answers: np.ndarray, targets: np.ndarray) -> float:
    return float((answers == targets).mean())
