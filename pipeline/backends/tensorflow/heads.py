"""What transformers puts on an encoder for each task, of Keras layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.backends import heads
from pipeline.backends.classical import TYPES
from pipeline.backends.tensorflow import classical, framework
from pipeline.backends.tensorflow.architectures import activation
from pipeline.errors import UserError

Config = Mapping[str, Any]
Built = tuple[Any, dict[str, Any]]  # logits, and the layers by their names in a checkpoint


@dataclass(frozen=True)
class Head:
    """``architecture`` is the class of transformers; ``prefix`` what names of its body begin with; ``tokens``: it answers
    for each token."""

    architecture: str
    prefix: str
    build: Callable[[Any, Config, Any], Built]
    tokens: bool = False


class Top:
    """Layers on what an encoder gives, one upon the other.

    Args:
        values: what the first takes.
        policy: of the numbers that layers compute with.
    """

    def __init__(self, values: Any, policy: Any) -> None:
        self._values, self._policy = values, policy
        self._layers: dict[str, Any] = {}

    def drop(self, rate: float) -> Top:
        """Dropout of a share."""
        self._values = framework.keras().layers.Dropout(float(rate), dtype=self._policy)(self._values)
        return self

    def dense(self, name: str, units: int, function: str | None = None) -> Top:
        """A dense layer, and what is done to each of its values."""
        layer = self._layers[name] = framework.keras().layers.Dense(
            units, activation=activation(function) if function else None, dtype=self._policy
        )
        self._values = layer(self._values)
        return self

    def built(self) -> Built:
        """The logits, and the layers."""
        return self._values, self._layers


def pooled(rate: Callable[[Config], float]) -> Callable[[Any, Config, Any], Built]:
    """Dropout of this rate and a dense layer on the pooled output."""

    def build(backbone: Any, config: Config, policy: Any) -> Built:
        top = Top(backbone.output["pooled_output"], policy)
        return top.drop(rate(config)).dense("classifier", _outputs(config)).built()

    return build


def first_token(function: str) -> Callable[[Any, Config, Any], Built]:
    """Two dense layers on the first token with dropout before each, as RoBERTa and ELECTRA have it."""

    def build(backbone: Any, config: Config, policy: Any) -> Built:
        top, rate = Top(_tokens(backbone)[:, 0, :], policy), _rate(config)
        top.drop(rate).dense("classifier.dense", config["hidden_size"], function)
        return top.drop(rate).dense("classifier.out_proj", _outputs(config)).built()

    return build


def distilbert(backbone: Any, config: Config, policy: Any) -> Built:
    """A dense layer with ReLU on the first token, dropout, and a dense layer."""
    top = Top(_tokens(backbone)[:, 0, :], policy).dense("pre_classifier", config["dim"], "relu")
    return top.drop(config["seq_classif_dropout"]).dense("classifier", _outputs(config)).built()


def summary(backbone: Any, config: Config, policy: Any) -> Built:
    """A summary of the text, as ELECTRA has it for choices, and a dense layer."""
    if config["summary_type"] != "first":
        what = f"summary_type={config['summary_type']}"
        raise UserError(f"base.model: {what} cannot be trained with TensorFlow for choices; use backend=pytorch")
    top, function = Top(_tokens(backbone)[:, 0, :], policy), config["summary_activation"]
    top.drop(config["summary_first_dropout"])
    if config["summary_use_proj"]:
        top.dense("sequence_summary.summary", config["hidden_size"], function)
    elif function:
        top = Top(activation(function)(top.built()[0]), policy)
    return top.drop(config["summary_last_dropout"]).dense("classifier", _outputs(config)).built()


def each_token(backbone: Any, config: Config, policy: Any) -> Built:
    """Dropout and a dense layer on every token."""
    top = Top(_tokens(backbone), policy)
    return top.drop(_rate(config)).dense("classifier", _outputs(config)).built()


def both_ends(backbone: Any, config: Config, policy: Any) -> Built:
    """A dense layer on every token; DistilBERT drops out before."""
    top = Top(_tokens(backbone), policy)
    if config["model_type"] == "distilbert":
        top.drop(config["qa_dropout"])
    return top.dense("qa_outputs", _outputs(config)).built()


def _tokens(backbone: Any) -> Any:
    """What an encoder gives for every token (batch × length × size)."""
    return backbone.output["sequence_output"] if isinstance(backbone.output, dict) else backbone.output


def _outputs(config: Config) -> int:
    return len(config["id2label"])


def _rate(config: Config) -> float:
    """Dropout before the classifier."""
    named = {"albert": "classifier_dropout_prob", "distilbert": "dropout"}
    rate = config[named.get(config["model_type"], "classifier_dropout")]
    return float(config["hidden_dropout_prob"] if rate is None else rate)


def _hidden_rate(config: Config) -> float:
    """Dropout within the encoder."""
    return float(config["hidden_dropout_prob"])


# By model type: what names of classes begin with, what names of a body's tensors begin with, and what is built on it
# for one answer to a text and for one to a choice.
Build = Callable[[Any, Config, Any], Built]
KINDS: dict[str, tuple[str, str, Build, Build]] = {
    "albert": ("Albert", "albert.", pooled(_rate), pooled(_rate)),
    "bert": ("Bert", "bert.", pooled(_rate), pooled(_rate)),
    "camembert": ("Camembert", "roberta.", first_token("tanh"), pooled(_hidden_rate)),
    "distilbert": ("DistilBert", "distilbert.", distilbert, distilbert),
    "electra": ("Electra", "electra.", first_token("gelu"), summary),
    "roberta": ("Roberta", "roberta.", first_token("tanh"), pooled(_hidden_rate)),
    "xlm-roberta": ("XLMRoberta", "roberta.", first_token("tanh"), pooled(_hidden_rate)),
}
CLASSES = {
    "classification": "ForSequenceClassification",
    "multilabel": "ForSequenceClassification",
    "regression": "ForSequenceClassification",
    "tagging": "ForTokenClassification",
    "questions": "ForQuestionAnswering",
    "choice": "ForMultipleChoice",
}
CLASSICAL = {name: Head(kind.architecture, "", classical.head) for name, kind in TYPES.items()}


def of_task(head: str, kind: str) -> Head:
    """The head for a task on a model of this ``model_type``.

    Raises:
        UserError: there is none.
    """
    if kind in CLASSICAL:
        return CLASSICAL[kind]
    if kind not in KINDS:
        raise UserError(
            f"base.model: a {kind} model cannot be trained with TensorFlow here; {', '.join(KINDS)} can; or use backend=pytorch"
        )
    name, prefix, text, choice = KINDS[kind]
    build = {"tagging": each_token, "questions": both_ends, "choice": choice}.get(head, text)
    return Head(name + CLASSES[head], prefix, build, heads.HEADS[head].tokens)


def of_saved(config: Config) -> Head:
    """The head that a saved model has.

    Raises:
        UserError: there is none here for such a model.
    """
    (name,), kind = config["architectures"], config["model_type"]
    known = [of_task(head, kind) for head in CLASSES if kind in KINDS or kind in CLASSICAL]
    found = [head for head in known if head.architecture == name]
    if not found:
        raise UserError(
            f"there is no network of TensorFlow here for a {name}; leave savedmodel and litert out of export.formats"
        )
    return found[0]
