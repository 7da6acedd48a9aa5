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
    def segments(self) -> bool:
        """Whether its rows have two parts, which models with token types tell apart by them."""

    def encode(self, tokenizer: Any, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """Rows of at most ``max_length`` tokens, special tokens included, for some examples of a corpus.

        Args:
            tokenizer: of ``tokenizers``, without padding.
        """

    def monitor(self, logits: np.ndarray, features: Features, labels: list[str]) -> dict[str, float]:
        """Numbers for choosing a checkpoint; see :class:`Evidence` for the shape of ``logits``."""

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        """How to read answers off logits, as is best for these: thresholds, if the task has any."""


@dataclass(frozen=True)
class Evidence:
    """All that the answers to a split are read and judged from.

    Attributes:
        logits: float32, rows of ``features`` × outputs; or, of a head that answers for each token, all their tokens ×
            outputs, counted through in the order of the rows.
        features: the rows.
        corpus: the examples.
        labels: names of the outputs.
        task: what was asked.
        decision: what it decided on when it was trained.
        train: the training examples, for baselines; None where there are none.
    """

    logits: np.ndarray
    features: Features
    corpus: pa.Table
    labels: list[str]
    task: Any
    decision: Decision
    train: pa.Table | None = None


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
