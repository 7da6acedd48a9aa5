"""What every backend learns from: batches of numbers, ready for a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Tokens
from pipeline.backends import Finetuning, Training, predicted
from pipeline.backends.batches import shuffled
from pipeline.backends.heads import HEADS
from pipeline.backends.vocabulary import Vocabulary
from pipeline.features import IGNORED, Features, Inputs

if TYPE_CHECKING:
    import numpy as np

NEVER = -1e9  # a logit that is no candidate


@dataclass(frozen=True)
class Criterion:
    """How a loss weighs: a factor for each label (an array of the backend's), the share of each target that is spread over
    all labels; and for numbers, the deviation beyond which they count linearly, 0 for never."""

    class_weights: Any
    label_smoothing: float = 0.0
    huber: float = 0.0


def criterion(config: Finetuning, class_weights: Any) -> Criterion:
    """How the loss of this training weighs."""
    huber = 1.0 if getattr(config.task, "loss", "") == "huber" else 0.0
    return Criterion(class_weights, config.training.label_smoothing, huber)


@dataclass(frozen=True)
class Batch:
    """``inputs`` of a network, ``targets`` as its head takes them (see :data:`TARGETS`), and the ``weight`` of what is
    learned: the loss is a sum over it."""

    inputs: Inputs
    targets: np.ndarray
    weight: float


class Data:
    """The training and validation splits of ``tokens`` for a head, with ids as rows of the smaller ``vocabulary``; there is
    none where the network answers with the very tokens that it reads."""

    def __init__(self, config: Finetuning, tokens: Tokens) -> None:
        import numpy as np

        training, head = config.training, config.task.head
        self.tokens = tokens
        self.train, self.validation = tokens.features("train"), tokens.features("validation")
        self.labels: list[str] = tokens.read("labels.json")
        self.seen = self.train.vocabulary()  # the token ids of the training texts
        facts = tokens.read("tokens.json")
        whole = HEADS[head].predicts and not facts["own_vocabulary"]
        used = None if whole else np.union1d(self.seen, self.validation.vocabulary())
        self.vocabulary = None if used is None else Vocabulary(used, self.train.pad)
        self.head, self._longest = head, facts["max_length"]
        self._hidden: float = getattr(config.task, "masked", 0.0)  # share of the tokens
        self.scale = _scale(self.train) if head == "regression" else (0.0, 1.0)  # mean and deviation of the numbers
        self.class_weights = class_weights(training, self.train, len(self.labels), head)
        self._training = training
        # What is dealt to batches: a row, or where choices are compared with each other, all of a question.
        starts = np.flatnonzero(np.diff(self.train.examples, prepend=-1)) if head == "choice" else None
        self._units = None if starts is None else np.split(np.arange(len(self.train)), starts[1:])
        lengths = self.train.lengths
        if head == "seq2seq":  # what is written is as much work as what is read
            lengths = np.maximum(lengths, self.train.lists("label").lengths)
        self._lengths: np.ndarray = lengths if starts is None else np.maximum.reduceat(lengths, starts)

    @property
    def steps_an_epoch(self) -> int:
        batches = -(-len(self._lengths) // self._training.batch_size)
        return -(-batches // self._training.gradient_accumulation_steps)

    def groups(self, epoch: int) -> list[list[np.ndarray]]:
        """The rows of each batch of each step of an epoch."""
        batches = shuffled(self._lengths, self._training.batch_size, self._training.seed, epoch)
        size = self._training.gradient_accumulation_steps
        rows = [self._rows(batch) for batch in batches]
        return [rows[at : at + size] for at in range(0, len(rows), size)]

    def batch(self, rows: np.ndarray, epoch: int = 0) -> Batch:
        """These rows of the training split, as they are learned in an epoch."""
        if HEADS[self.head].predicts:
            inputs, targets = self._predicted(rows, epoch)
            return Batch(self.renumbered(inputs), targets, float((targets != IGNORED).sum()))
        inputs = self.renumbered(self.train.inputs(rows))
        targets, weight = TARGETS[self.head](self, rows)
        return Batch(inputs, targets, weight)

    def _predicted(self, rows: np.ndarray, epoch: int) -> predicted.Asked:
        if self.head == "masked":
            return predicted.drawn(self.train, rows, self._hidden, [self._training.seed, epoch])
        asked = predicted.ASKED[self.head](self.train, rows)
        return predicted.packed(asked, self._longest) if self._training.packing else asked

    def renumbered(self, inputs: Inputs) -> Inputs:
        """With token ids as rows of the smaller vocabulary."""
        if self.vocabulary is None:
            return inputs
        return {**inputs, "input_ids": self.vocabulary.renumber(inputs["input_ids"])}

    def in_units(self, logits: np.ndarray) -> np.ndarray:
        """What a network in training answers, in the unit of the numbers that it learns."""
        mean, deviation = self.scale
        return logits if self.scale == (0.0, 1.0) else logits * deviation + mean

    def _rows(self, batch: np.ndarray) -> np.ndarray:
        import numpy as np

        return batch if self._units is None else np.concatenate([self._units[unit] for unit in batch])


Targets = Callable[[Data, "np.ndarray"], "tuple[np.ndarray, float]"]


def _labels(data: Data, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers of labels (int64, rows); each weighs as its label does."""
    import numpy as np

    found = data.train.numbers("label")[rows].astype(np.int64)
    return found, float(data.class_weights[found].sum())


def _hot(data: Data, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Which labels are there (float32, rows × labels)."""
    import numpy as np

    found, lists = np.zeros((len(rows), len(data.labels)), np.float32), data.train.lists("label")
    for place, row in enumerate(rows):
        found[place, lists.row(int(row))] = 1
    return found, float(len(rows))


def _numbers(data: Data, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers (float32, rows), with mean 0 and deviation 1 over all that is learned from."""
    import numpy as np

    mean, deviation = data.scale
    return ((data.train.numbers("label")[rows] - mean) / deviation).astype(np.float32), float(len(rows))


def _tags(data: Data, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers of tags (int64, rows × longest row), -100 where nothing is learned; each weighs as its tag does."""
    import numpy as np

    found = data.train.lists("label").padded(rows, IGNORED, np.int64)
    return found, float(data.class_weights[found[found != IGNORED]].sum())


def _ends(data: Data, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """The first and the last token of each answer (int64, rows × 2)."""
    import numpy as np

    return data.train.lists("label").padded(rows, 0, np.int64), float(len(rows))


def _choices(data: Data, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Of each choice the number of its question within the batch, and whether it is right (int64, rows × 2)."""
    import numpy as np

    _, question = np.unique(data.train.examples[rows], return_inverse=True)
    return np.stack([question, data.train.numbers("label")[rows]], 1).astype(np.int64), float(question.max() + 1)


TARGETS: dict[str, Targets] = {
    "classification": _labels,
    "multilabel": _hot,
    "regression": _numbers,
    "tagging": _tags,
    "questions": _ends,
    "choice": _choices,
}


def class_weights(training: Training, train: Features, count: int, head: str) -> np.ndarray:
    """A factor for each label (float32): 1, or rows / (labels × rows of the label), as scikit-learn's "balanced"; of tags,
    words count instead of rows."""
    import numpy as np

    if training.class_weights == "none":
        return np.ones(count, np.float32)
    labels = train.lists("label").flat() if head == "tagging" else train.numbers("label")
    labels = labels[labels != IGNORED]
    rows = np.bincount(labels, minlength=count)
    # A label without rows weighs nothing: smoothing would spread all of a target on it.
    return np.where(rows > 0, len(labels) / ((rows > 0).sum() * np.maximum(rows, 1)), 0).astype(np.float32)


def _scale(train: Features) -> tuple[float, float]:
    """Mean and standard deviation of the numbers to be learned; the latter 1 if they are all the same."""
    numbers = train.numbers("label").astype(float)
    return float(numbers.mean()), float(numbers.std()) or 1.0
