"""Multiple choice: which of several answers fits a question, a story or any other text.

Logits are rows × 1, a row a choice: how well it fits.  The choices of a question are compared with each other only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.corpora.columns import column
from pipeline.corpora.questions import Chosen
from pipeline.features import Features
from pipeline.fields import Invalid, neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class MultipleChoice:
    """Learn which of the ``choices`` is the ``answer`` to a ``question``."""

    question: str = neutral("question")
    """the column of the question"""
    choices: str = neutral("choices")
    """the column of the choices, a list"""
    answer: str = neutral("answer")
    """the column of the right one: its number from 0, its letter, or itself"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "choice"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    columns: ClassVar[Mapping[str, str]] = {"label": "int32"}
    segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = {self.question, self.choices, self.answer}
        require(len(columns) == 3, "question, choices and answer must be three columns")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """A row a choice, the longer of question and choice cut first; ``label`` is 1 at the right one, else 0."""
        import numpy as np

        tokenizer = tokenizers.text
        tokenizer.enable_truncation(max_length)
        questions, choices = examples["question"].to_pylist(), examples["choices"].to_pylist()
        pairs = [(text, choice) for text, mine in zip(questions, choices, strict=True) for choice in mine]
        encodings = tokenizer.encode_batch_fast(pairs)
        counts = np.array([len(mine) for mine in choices])
        numbers = np.repeat(np.arange(len(choices)), counts)
        columns = {}
        if "label" in examples.schema.names:
            right = np.cumsum(counts) - counts + examples["label"].to_numpy()
            columns["label"] = np.isin(np.arange(len(pairs)), right).astype(np.int32)
        cut = len({int(numbers[row]) for row, encoding in enumerate(encodings) if encoding.overflowing})
        return Encoded(encodings, numbers, columns, cut)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        """Cross-entropy in nats and accuracy, over questions."""
        import numpy as np

        right, shares = features.numbers("label").astype(bool), probabilities(logits, features)
        return {
            "loss": float(-np.log(np.maximum(shares[right], 1e-30)).mean()),
            "accuracy": float((_best(shares, features) == np.flatnonzero(right)).mean()),
        }

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


def probabilities(logits: np.ndarray, features: Features) -> np.ndarray:
    """Softmax over the choices of each question (rows)."""
    import numpy as np

    starts = _starts(features)
    highest = np.maximum.reduceat(logits[:, 0].astype(np.float64), starts)
    raised = np.exp(logits[:, 0] - highest[features.examples])
    found: np.ndarray = raised / np.add.reduceat(raised, starts)[features.examples]
    return found


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"answer": number, "choice": text, "probabilities": [share, …]}`` for each question."""
    import numpy as np

    shares = probabilities(evidence.logits, evidence.features)
    each = np.split(shares, _starts(evidence.features)[1:])
    for choices, mine in zip(evidence.corpus["choices"].to_pylist(), each, strict=True):
        best = int(mine.argmax())
        yield {"answer": best, "choice": choices[best], "probabilities": [round(share, 6) for share in mine.tolist()]}


def judge(evidence: Evidence) -> Scored:
    """Accuracy; ``baseline_accuracy`` is that of guessing.  Details: its 95% bootstrap interval."""
    import numpy as np

    from pipeline.metrics.intervals import bootstrap

    answers = np.array([answer["answer"] for answer in decode(evidence)])
    right = (answers == evidence.corpus["label"].to_numpy()).astype(np.float64)
    guessed = np.mean([1 / len(choices) for choices in evidence.corpus["choices"].to_pylist()])
    scores = {"accuracy": right.mean(), "baseline_accuracy": guessed}
    details = {"intervals": {"accuracy": list(bootstrap(np.mean, right))}}
    return {name: round(float(value), 6) for name, value in scores.items()}, details


def form(task: MultipleChoice) -> Chosen:
    """Rows with a question, its choices and the right one."""
    question = column("question", task.question, "text", "context", "sentence")
    choices = column("choices", task.choices, "options", "endings", "answers")
    return Chosen(((question, choices, column("answer", task.answer, "label", "answerKey", "gold", target=True)),))


JUDGING = Judging(decode, judge)
KIND = Kind(form, JUDGING)


def _starts(features: Features) -> np.ndarray:
    """The first row of each question."""
    import numpy as np

    return np.flatnonzero(np.diff(features.examples, prepend=-1))


def _best(shares: np.ndarray, features: Features) -> np.ndarray:
    """The row of the best choice of each question."""
    import numpy as np

    starts = _starts(features)
    return np.array([start + part.argmax() for start, part in zip(starts, np.split(shares, starts[1:]), strict=True)])
