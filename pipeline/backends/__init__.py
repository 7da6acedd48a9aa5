"""Ways to train and run a network, behind the same two stages.

A backend is a package with the functions of :class:`Backend`.  It imports its framework
inside them, so that choosing a backend costs nothing until something has to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, cast

from pipeline.artifacts import Model, Predictions, Tokens
from pipeline.errors import UserError
from pipeline.fields import neutral, require
from pipeline.tasks import Task

Name = Literal["pytorch", "tensorflow"]

LOWER = ("loss", "mae")  # metrics that are better if lower
WEIGHTED = ("classification", "tagging")  # heads whose labels can be weighed and smoothed
VALIDATION_BATCH = 64  # texts at once in validation; the same as in prediction, so that the numbers are the same


@dataclass(frozen=True)
class Training:
    """How to fine-tune."""

    epochs: int = 3
    """passes over the training split"""
    batch_size: int = 32
    """texts a step"""
    learning_rate: float = 5e-5
    """the highest; it rises to it over warmup_ratio of the steps, then falls to 0 in a straight line"""
    warmup_ratio: float = 0.1
    """share of the steps"""
    optimizer: Literal["adamw", "adam", "rmsprop", "momentum", "sgd"] = "adamw"
    """AdamW suits Transformers; momentum is SGD with it"""
    weight_decay: float = 0.01
    """of AdamW alone; not on biases and norms"""
    momentum: float = 0.9
    """of momentum alone"""
    l1: float = 0.0
    """adds l1 · Σ|w| to what is minimized, not to the loss that is told; not of biases and norms"""
    l2: float = 0.0
    """adds l2 · Σw² to it; not of biases and norms"""
    dropout: float | None = None
    """share of activations set to zero in training, everywhere; none: as the base model has it"""
    max_grad_norm: float = 1.0
    """gradients longer than this are shortened to it; 0: never"""
    gradient_accumulation_steps: int = 1
    """batches whose gradients are added up before a step"""
    label_smoothing: float = 0.0
    """share of the target that is spread over all labels"""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: rare labels count for more in the loss, as many times as they are rarer"""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the processor multiplies it fast"""
    metric: str = "accuracy"
    """on the validation split: which epoch's weights are kept"""
    patience: int = 0
    """stop after so many epochs without a better metric; 0: never"""
    seed: int = 17
    """of the new head, the order of the rows, and dropout"""
    checkpoint_seconds: float = neutral(120.0)
    """how much work a killed training may lose"""

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs must be at least 1")
        require(self.batch_size >= 1, "batch_size must be at least 1")
        require(self.learning_rate > 0, "learning_rate must be more than 0")
        require(0 <= self.warmup_ratio < 1, "warmup_ratio is a share of the steps, from 0 to below 1")
        require(self.weight_decay >= 0, "weight_decay must not be negative")
        require(0 <= self.momentum < 1, "momentum is a share of the last step, from 0 to below 1")
        require(self.l1 >= 0 and self.l2 >= 0, "l1 and l2 must not be negative")
        require(self.dropout is None or 0 <= self.dropout < 1, "dropout is a share, from 0 to below 1, or none")
        require(self.max_grad_norm >= 0, "max_grad_norm must not be negative")
        require(self.gradient_accumulation_steps >= 1, "gradient_accumulation_steps must be at least 1")
        require(0 <= self.label_smoothing < 1, "label_smoothing is a share, from 0 to below 1")
        require(self.patience >= 0, "patience is a number of epochs, or 0")
        require(0 <= self.seed < 2**32, "seed is a whole number from 0 to 4294967295")
        require(self.checkpoint_seconds >= 0, "checkpoint_seconds must not be negative")


@dataclass(frozen=True)
class Finetuning:
    """What to learn, and how.

    Raises:
        UserError: the task has no such metric to choose a checkpoint by, or no labels to weigh or to smooth.
    """

    task: Task
    training: Training

    def __post_init__(self) -> None:
        known = self.task.monitors
        require(
            self.training.metric in known,
            f"training.metric={self.training.metric}: this task has no such metric; there are {', '.join(known)}",
        )
        if self.task.head not in WEIGHTED:
            for name, unset in (("class_weights", "none"), ("label_smoothing", 0)):
                value = getattr(self.training, name)
                require(value == unset, f"training.{name}={value}: is for one label a text or a word; leave it out")


@dataclass(frozen=True)
class Prediction:
    """How to run a fine-tuned model over the validation and test splits."""

    batch_size: int = neutral(VALIDATION_BATCH)
    """texts at once"""

    def __post_init__(self) -> None:
        require(self.batch_size >= 1, "batch_size must be at least 1")


class Backend(Protocol):
    """The stages of a backend."""

    HEADS: tuple[str, ...]  # what tasks can ask for
    KINDS: tuple[str, ...]  # the model types that it can train; any that transformers has the head for, if empty

    def finetune(self, config: Finetuning, out: Path, *, base: Model, tokens: Tokens) -> Model:
        """Train ``base`` on ``tokens``; keep the best epoch's weights by the validation metric.

        A killed call goes on where it was, if called again with the same ``out``.
        """

    def predict(self, config: Prediction, out: Path, *, model: Model, tokens: Tokens) -> Predictions:
        """Run the saved ``model`` over the validation and test splits, in full precision."""


def load(name: Name) -> Backend:
    """The backend of this name; its framework is not imported yet.

    Raises:
        UserError: the framework is not installed.
    """
    if name == "tensorflow" and find_spec("keras_hub") is None:
        raise UserError(f"backend={name}: TensorFlow is not installed; install it with: make setup EXTRAS=tensorflow")
    return cast(Backend, import_module(f"pipeline.backends.{name}"))
