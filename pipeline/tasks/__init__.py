"""What a kind of language task asks of text, and what a model's answers mean; no framework is known here.

A task is a frozen dataclass of settings: text to token ids, and numbers to choose a checkpoint by.  How it reads the rows
of a source, and how its answers are read and judged, are functions beside it, a :class:`Kind`, so that an edit to them
undoes no training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pipeline.corpora.forms import Form
from pipeline.features import Features

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Array = Any  # numpy.ndarray
Decision = dict[str, Any]  # plain JSON
# What is known of a row whose tokens are predicted: the negative log-likelihood of all that are (nats), how many these are,
# and of how many the likeliest token is right.  Logits over a vocabulary are never kept.
MEASURED = ("loss", "tokens", "right")


@dataclass(frozen=True)
class Tokenizers:
    """What encodes the text of a model; all of ``tokenizers``, without padding.

    Attributes:
        text: encodes what is read.
        target: encodes what is to be written: the same, but for models that write in a vocabulary of their own.
        template: how a conversation is laid out as text, a chat template of transformers in Jinja; "" if it is not.
        names: the special tokens that a template may mention, such as ``eos_token``.
        end: the token id that ends a text, if there is one.
        types: whether the model tells parts of a row apart by token types.
    """

    text: Any
    target: Any = None
    template: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    end: int | None = None
    types: bool = True


@dataclass(frozen=True)
class Row:
    """A row for a network that no tokenizer made as a whole."""

    ids: list[int]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Encoded:
    """Rows for a network: their encodings, which example of the batch each is of, other columns by name, and how many
    examples lost their end."""

    encodings: list[Any]
    examples: Array
    columns: dict[str, Any] = field(default_factory=dict)
    cut: int = 0


class Task(Protocol):
    """Text to token ids, and logits to numbers worth stopping for."""

    head: ClassVar[str]  # which head of a backend it needs
    monitors: ClassVar[
        tuple[str, ...]
    ]  # what ``monitor`` gives; ``loss`` and ``mae`` are better if lower, all others if higher
    columns: ClassVar[Mapping[str, str]]  # what ``encode`` gives besides token ids, with Arrow types

    @property
    def invalid(self) -> str:
        """What to do with a row that cannot be used: ``refuse`` or ``skip``."""

    @property
    def segments(self) -> bool:
        """Whether its rows have two parts, which models with token types tell apart by them."""

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """Rows of at most ``max_length`` tokens, special tokens included, for some examples of a corpus."""

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        """Numbers for choosing a checkpoint; see :class:`Evidence` for the shape of ``logits``.

        Args:
            decision: how answers are read; what is best for these logits, if nothing is said.
        """

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        """How to read answers off logits, as is best for these: thresholds, if the task has any."""


@dataclass(frozen=True)
class Evidence:
    """All that the answers to a split are read and judged from.

    Attributes:
        logits: float32, rows of ``features`` × outputs; of a head that answers for each token, all their tokens ×
            outputs, counted through in the order of the rows; of one that predicts tokens, rows × :data:`MEASURED`.
        features: the rows.
        corpus: the examples.
        labels: names of the outputs.
        task: what was asked.
        decision: what it decided on when it was trained.
        train: the training examples, for baselines; None where there are none.
        learned: their rows.
        extra: what else was asked of the model: ``text``, what it wrote for each example; or ``loss`` and ``tokens`` of
            some rows, each token hidden alone.
    """

    logits: np.ndarray
    features: Features
    corpus: pa.Table
    labels: list[str]
    task: Any
    decision: Decision
    train: pa.Table | None = None
    learned: Features | None = None
    extra: pa.Table | None = None

    @property
    def written(self) -> list[str]:
        """What the model wrote for each example."""
        found: list[str] = self.extra["text"].to_pylist() if self.extra is not None else []
        return found


Scored = tuple[dict[str, float], dict[str, Any]]


@dataclass(frozen=True)
class Judging:
    """How a task's answers are read and judged.

    Attributes:
        decode: the answer to each example, as JSON, in their order.
        judge: scores, the one to look at first in front; and details, among them 95% ``intervals``.
    """

    decode: Callable[[Evidence], Iterator[dict[str, Any]]]
    judge: Callable[[Evidence], Scored]


def whole(task: Any) -> Any:
    """The task itself."""
    return task


@dataclass(frozen=True)
class Kind:
    """What belongs to a kind of task besides its settings.

    Attributes:
        form: how a task reads the rows of a source.
        judging: how its answers are read and judged.
        learned: the task without what counts only where answers are read: so that to set that undoes no training.
    """

    form: Callable[[Any], Form]
    judging: Judging
    learned: Callable[[Any], Any] = whole
