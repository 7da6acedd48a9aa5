"""What every backend learns from: batches of numbers, ready for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.artifacts import Tokens
from pipeline.backends import Training
from pipeline.backends.batches import Ragged, shuffled
from pipeline.backends.vocabulary import Vocabulary

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Batch:
    """``input_ids`` and ``attention_mask`` (int64, rows × longest row), numbers of ``labels`` (int64, rows)."""

    input_ids: np.ndarray
    attention_mask: np.ndarray
    labels: np.ndarray


class Data:
    """The training and validation splits of ``tokens``, with ids as rows of the smaller ``vocabulary``."""

    def __init__(self, training: Training, tokens: Tokens) -> None:
        import numpy as np

        self.train, self.validation = Ragged(tokens, "train"), Ragged(tokens, "validation")
        self.labels: list[str] = tokens.read("labels.json")
        self.pad = tokens.pad_id
        self.seen = self.train.vocabulary()  # the token ids of the training texts
        self.vocabulary = Vocabulary(np.union1d(self.seen, self.validation.vocabulary()), self.pad)
        self.class_weights = class_weights(training, self.train.labels, len(self.labels))
        self._training = training

    @property
    def steps_an_epoch(self) -> int:
        batches = -(-len(self.train) // self._training.batch_size)
        return -(-batches // self._training.gradient_accumulation_steps)

    def groups(self, epoch: int) -> list[list[np.ndarray]]:
        """The rows of each batch of each step of an epoch."""
        batches = shuffled(self.train.lengths, self._training.batch_size, self._training.seed, epoch)
        size = self._training.gradient_accumulation_steps
        return [batches[at : at + size] for at in range(0, len(batches), size)]

    def batch(self, rows: np.ndarray) -> Batch:
        """These rows of the training split."""
        ids, mask = self.train.padded(rows, self.pad)
        return Batch(self.vocabulary.renumber(ids), mask, self.train.labels[rows])


def class_weights(training: Training, labels: np.ndarray, count: int) -> np.ndarray:
    """A factor for each label (float32): 1, or rows / (labels × rows of the label), as scikit-learn's "balanced"."""
    import numpy as np

    if training.class_weights == "none":
        return np.ones(count, np.float32)
    rows = np.bincount(labels, minlength=count)
    return (len(labels) / (count * np.maximum(rows, 1))).astype(np.float32)
