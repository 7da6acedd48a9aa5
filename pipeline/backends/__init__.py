"""Ways to train and run a network, behind the same two stages.

A backend is a package with the functions of :class:`Backend`.  It imports its framework
inside them, so that choosing a backend costs nothing until something has to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from pipeline.artifacts import Model, Predictions, Tokens
from pipeline.errors import UserError
from pipeline.fields import neutral, require
from pipeline.tasks import Task

Name = Literal["pytorch", "tensorflow"]
Limits = Mapping[str, tuple[Any, ...]]  # by setting, the values that a backend knows, where they are not all

LOWER = ("loss", "mae", "perplexity")  # metrics that are better if lower
EIGHT_BIT = ("adamw_8bit", "paged_adamw_8bit")  # optimizers of bitsandbytes
WEIGHTED = ("classification", "tagging")  # heads whose labels can be weighed
SMOOTHED = (*WEIGHTED, "seq2seq", "causal", "masked")  # heads whose targets can be smoothed
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
    optimizer: Literal["adamw", "adam", "rmsprop", "momentum", "sgd", "adafactor", "adamw_8bit", "paged_adamw_8bit"] = (
        "adamw"
    )
    """AdamW suits Transformers; momentum is SGD with it; adafactor and the two of 8 bits (bitsandbytes) remember less, the paged
    one outside the GPU where that is full"""
    weight_decay: float = 0.01
    """of AdamW and Adafactor alone; not on biases and norms"""
    momentum: float = 0.9
    """of momentum alone"""
    l1: float = 0.0
    """adds l1 · Σ|w| to what is minimized, not to the loss that is told; not of biases and norms"""
    l2: float = 0.0
    """adds l2 · Σw² to it; not of biases and norms"""
    adapter: Literal["none", "lora", "rslora", "dora"] = "none"
    """lora, rslora, dora: learn a small change of some layers, and the new head, with peft; none: learn all weights"""
    adapter_rank: int = 8
    """of the change of each layer: how much it can hold"""
    adapter_alpha: int = 16
    """changes count alpha / rank times; of rslora alpha / √rank times"""
    adapter_dropout: float = 0.0
    """share of what goes into changes that is set to zero in training"""
    adapter_modules: tuple[str, ...] = ()
    """which linear layers, by the ends of their names, such as query,value; all-linear: each; empty: those that peft has for the
    model type, else each"""
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
    gradient_checkpointing: bool = False
    """compute what layers answered once more on the way back instead of keeping it: less memory, a third more work"""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the processor multiplies it fast"""
    packing: bool = False
    """of causal models: several short texts in one row of max_length, which see nothing of each other"""
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
        require(self.adapter_rank >= 1 and self.adapter_alpha >= 1, "adapter_rank and adapter_alpha must be at least 1")
        require(0 <= self.adapter_dropout < 1, "adapter_dropout is a share, from 0 to below 1")
        require(self.dropout is None or 0 <= self.dropout < 1, "dropout is a share, from 0 to below 1, or none")
        require(self.max_grad_norm >= 0, "max_grad_norm must not be negative")
        require(self.gradient_accumulation_steps >= 1, "gradient_accumulation_steps must be at least 1")
        require(0 <= self.label_smoothing < 1, "label_smoothing is a share, from 0 to below 1")
        require(self.patience >= 0, "patience is a number of epochs, or 0")
        require(0 <= self.seed < 2**32, "seed is a whole number from 0 to 4294967295")
        require(self.checkpoint_seconds >= 0, "checkpoint_seconds must not be negative")

    def depends(self) -> dict[str, Any]:
        """An optimizer of a library that need not be there counts by its version as well."""
        if self.optimizer in EIGHT_BIT and find_spec("bitsandbytes"):
            return {"optimizer": [self.optimizer, version("bitsandbytes")]}
        return {}


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
        if self.training.packing:
            require(self.task.head == "causal", "training.packing=true: is for causal models; leave it out")
        for name, heads, unset in (("class_weights", WEIGHTED, "none"), ("label_smoothing", SMOOTHED, 0)):
            value = getattr(self.training, name)
            require(
                value == unset or self.task.head in heads,
                f"training.{name}={value}: is for one label a text or a word{', or for words' * (heads is SMOOTHED)}; leave it out",
            )


@dataclass(frozen=True)
class Prediction:
    """How to run a fine-tuned model over the validation and test splits."""

    batch_size: int = neutral(VALIDATION_BATCH)
    """texts at once"""

    def __post_init__(self) -> None:
        require(self.batch_size >= 1, "batch_size must be at least 1")


@dataclass(frozen=True)
class Generation:
    """How a model writes; names and meanings are those of ``GenerationConfig`` of transformers."""

    num_beams: int = 1
    """1: the likeliest token each time; more: so many beginnings are gone on with, and the likeliest text is taken"""
    max_new_tokens: int = 64
    """tokens of a text, at most"""
    min_new_tokens: int = 0
    """and at least"""
    no_repeat_ngram_size: int = 0
    """so many tokens in a row never come twice in a text; 0: they may"""
    repetition_penalty: float = 1.0
    """above 1: tokens that were there are less likely to come again"""
    length_penalty: float = 1.0
    """with beams: above 0, longer texts are preferred, the more the larger it is"""
    do_sample: bool = False
    """draw each token by how likely it is, for varied text; scores are then those of one draw"""
    temperature: float = 1.0
    """of draws: below 1, likely tokens are drawn more often still"""
    top_p: float = 1.0
    """of draws: only from the likeliest tokens that together have this probability"""

    def __post_init__(self) -> None:
        require(self.num_beams >= 1, "num_beams must be at least 1")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1")
        require(0 <= self.min_new_tokens <= self.max_new_tokens, "min_new_tokens is from 0 to max_new_tokens")
        require(self.no_repeat_ngram_size >= 0, "no_repeat_ngram_size is a number of tokens, or 0")
        require(self.repetition_penalty > 0, "repetition_penalty must be more than 0")
        require(self.temperature > 0, "temperature must be more than 0")
        require(0 < self.top_p <= 1, "top_p is a probability, above 0 and up to 1")

    def options(self) -> dict[str, Any]:
        """The settings as ``generate`` of transformers takes them; it warns of those that have no effect."""
        found = asdict(self)
        return (
            found if self.do_sample else {n: value for n, value in found.items() if n not in ("temperature", "top_p")}
        )


@dataclass(frozen=True)
class Asking:
    """What a head is asked over the validation and test splits, and how texts are written, if they are."""

    head: str
    prediction: Prediction
    generation: Generation | None = None


class Backend(Protocol):
    """The stages of a backend."""

    # By what tasks can ask for, the model types that it can train; any that transformers has that head for, if empty.
    KINDS: Mapping[str, tuple[str, ...]]
    LIMITS: Limits  # of the settings of Training

    def finetune(self, config: Finetuning, out: Path, *, base: Model, tokens: Tokens) -> Model:
        """Train ``base`` on ``tokens``; keep the best epoch's weights by the validation metric.

        A killed call goes on where it was, if called again with the same ``out``.
        """

    def predict(self, config: Asking, out: Path, *, model: Model, tokens: Tokens) -> Predictions:
        """Run the saved ``model`` over the validation and test splits, in full precision; let it write, if it can."""


def load(name: Name) -> Backend:
    """The backend of this name; its framework is not imported yet.

    Raises:
        UserError: the framework is not installed.
    """
    if name == "tensorflow" and find_spec("keras_hub") is None:
        raise UserError(f"backend={name}: TensorFlow is not installed; install it with: make setup EXTRAS=tensorflow")
    return cast(Backend, import_module(f"pipeline.backends.{name}"))


def check(name: Name, limits: Limits, training: Training) -> None:
    """Refuse settings that this backend does not know, or that need a package which is not installed.

    Raises:
        UserError: there is one.
    """
    for setting, known in limits.items():
        value = getattr(training, setting)
        choices = " or ".join(map(written, known))
        require(
            value in known,
            f"training.{setting}={written(value)}: with backend={name} it is {choices}; or use backend=pytorch",
        )
    require(
        training.optimizer not in EIGHT_BIT or find_spec("bitsandbytes") is not None,
        f"training.optimizer={training.optimizer}: bitsandbytes is not installed; install it with: make setup EXTRAS=bitsandbytes",
    )


def written(value: Any) -> str:
    """A setting's value as it is typed."""
    return str(value).lower()
