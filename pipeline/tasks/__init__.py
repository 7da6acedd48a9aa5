"""What a kind of language task asks of text, and what a model's answers mean; no framework is known here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pipeline.corpora.columns import Columns

if TYPE_CHECKING:
    import numpy as np

Array = Any  # numpy.ndarray


class Task(Protocol):
    """Text to token ids, logits to answers, answers to numbers worth stopping for."""

    head: ClassVar[str]  # which head of a backend it needs
    monitors: ClassVar[tuple[str, ...]]  # what ``monitor`` gives

    @property
    def columns(self) -> Columns:
        """Which columns of the source it reads."""

    def encode(self, tokenizer: Any, texts: Sequence[str], max_length: int) -> Any:
        """``tokenizers.Encoding`` of each text, special tokens included, cut at ``max_length``."""

    def decode(self, logits: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
        """The answer for each row of ``logits`` (examples × labels)."""

    def monitor(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Numbers for choosing a checkpoint; ``logits`` as above, ``targets`` the labels' numbers."""
