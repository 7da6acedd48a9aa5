"""A number for a text, such as stars, or for a pair of texts, such as their similarity.

Logits are examples × 1, in the unit of the numbers that were learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipeline.corpora.columns import column
from pipeline.corpora.forms import Measured
from pipeline.features import Features
from pipeline.fields import Invalid, neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers, texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Loss = Literal["mse", "huber"]
SCORE = ("stars", "rating", "similarity", "similarity_score", "label", "value")
FEW = 20  # different values, up to which whole numbers are steps of a scale, such as stars


@dataclass(frozen=True)
class Regression:
    """Learn the ``score`` of a ``text``."""

    text: str = neutral("text")
    """the column of the text"""
    score: str = neutral("score")
    """the column of the number"""
    loss: Loss = "mse"
    """huber: linear beyond one standard deviation (Huber 1964), for numbers with outliers"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "regression"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "pearson", "spearman", "mae")
    columns: ClassVar[Mapping[str, str]] = {"label": "float32"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.text != self.score, f"text and score are both the column {self.text!r}")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return texts.encode(tokenizers.text, examples, ("text",), max_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits, features.numbers("label"))

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


@dataclass(frozen=True)
class PairRegression:
    """Learn the ``score`` of two texts, ``first`` and ``second``."""

    first: str = neutral("first")
    """the column of the first text"""
    second: str = neutral("second")
    """the column of the second"""
    score: str = neutral("score")
    """the column of the number"""
    loss: Loss = "mse"
    """huber: linear beyond one standard deviation (Huber 1964), for numbers with outliers"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "regression"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "pearson", "spearman", "mae")
    columns: ClassVar[Mapping[str, str]] = {"label": "float32"}
    segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(len({self.first, self.second, self.score}) == 3, "first, second and score must be three columns")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return texts.encode(tokenizers.text, examples, ("first", "second"), max_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits, features.numbers("label"))

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


def monitor(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """The mean squared error as ``loss``, both correlations, and the mean absolute error."""
    from pipeline.metrics import numbers

    found = numbers.scores(logits[:, 0], targets)
    return {"loss": found["mse"], **{name: found[name] for name in ("pearson", "spearman", "mae")}}


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"score": number}`` for each example."""
    for score in evidence.logits[:, 0].tolist():
        yield {"score": float(f"{score:.6g}")}


def judge(evidence: Evidence) -> Scored:
    """Pearson's and Spearman's correlation, mean absolute and squared error; ``baseline_mae`` is that of always answering
    the median of what was learned from, ``baseline_pearson`` of two texts' share of words in common.  Of whole numbers,
    also how often the nearest is right or next to it, and the quadratic weighted kappa.

    Details: 95% bootstrap intervals.
    """
    import numpy as np

    from pipeline.metrics import numbers
    from pipeline.metrics.intervals import bootstrap

    answers, targets = evidence.logits[:, 0].astype(np.float64), _targets(evidence.corpus)
    found = numbers.scores(answers, targets)
    if len(np.unique(targets)) <= FEW and (targets == np.round(targets)).all():
        learned = targets if evidence.train is None else np.unique(_targets(evidence.train))
        found |= numbers.ordinal(answers, targets, learned[learned == np.round(learned)])
    if evidence.train is not None:
        found["baseline_mae"] = float(np.abs(targets - np.median(_targets(evidence.train))).mean())
    if "second" in evidence.corpus.column_names:
        found["baseline_pearson"] = numbers.scores(_overlaps(evidence.corpus), targets)["pearson"]
    intervals = {
        name: [round(bound, 6) for bound in bootstrap(statistic, answers, targets)]
        for name, statistic in (("pearson", numbers.pearson), ("spearman", numbers.spearman), ("mae", numbers.mae))
    }
    return {name: round(value, 6) for name, value in found.items()}, {"intervals": intervals}


def form(task: Regression | PairRegression) -> Measured:
    """Rows with a text, or two, and its number."""
    score = column("score", task.score, *SCORE, target=True)
    if isinstance(task, Regression):
        return Measured(((column("text", task.text, *texts.TEXT), score),))
    first, second = column("first", task.first, *texts.FIRST), column("second", task.second, *texts.SECOND)
    return Measured(((first, second, score),))


JUDGING = Judging(decode, judge)
KIND = Kind(form, JUDGING)


def _targets(corpus: pa.Table) -> np.ndarray:
    import numpy as np

    found: np.ndarray = corpus["label"].to_numpy().astype(np.float64)
    return found


def _overlaps(corpus: pa.Table) -> np.ndarray:
    """The share of words, or of characters of scripts without spaces, that the two texts of each pair have in common."""
    import numpy as np

    from pipeline.corpora import words

    pairs = zip(corpus["first"].to_pylist(), corpus["second"].to_pylist(), strict=True)
    sets: Sequence[tuple[set[str], set[str]]] = [(words.units(one), words.units(other)) for one, other in pairs]
    return np.array([len(one & other) / max(1, len(one | other)) for one, other in sets])
