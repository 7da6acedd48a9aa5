"""What transformers puts on an encoder for each task, of Keras layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.backends.classical import TYPES
from pipeline.backends.tensorflow import classical, framework
from pipeline.errors import UserError

Config = Mapping[str, Any]
Built = tuple[Any, dict[str, Any]]  # logits, and the layers by their names in a checkpoint


@dataclass(frozen=True)
class Head:
    """``architecture`` is the class of transformers; ``prefix`` what names of its body begin with."""

    architecture: str
    prefix: str
    build: Callable[[Any, Config, Any], Built]


def pooled(backbone: Any, config: Config, policy: Any) -> Built:
    """Dropout and a dense layer on the pooled output, as BERT and ALBERT have it."""
    layers = framework.keras().layers
    values = layers.Dropout(_rate(config), dtype=policy)(backbone.output["pooled_output"])
    classifier = _dense(len(config["id2label"]), policy)
    return classifier(values), {"classifier": classifier}


def first_token(activation: str) -> Callable[[Any, Config, Any], Built]:
    """Two dense layers on the first token with dropout before each, as RoBERTa and ELECTRA have it."""

    def build(backbone: Any, config: Config, policy: Any) -> Built:
        layers = framework.keras().layers
        dense = _dense(config["hidden_size"], policy, activation)
        output = _dense(len(config["id2label"]), policy)
        values = layers.Dropout(_rate(config), dtype=policy)(backbone.output["sequence_output"][:, 0, :])
        values = layers.Dropout(_rate(config), dtype=policy)(dense(values))
        return output(values), {"classifier.dense": dense, "classifier.out_proj": output}

    return build


def distilbert(backbone: Any, config: Config, policy: Any) -> Built:
    """A dense layer with ReLU on the first token, dropout, and a dense layer."""
    layers = framework.keras().layers
    before = _dense(config["dim"], policy, "relu")
    classifier = _dense(len(config["id2label"]), policy)
    values = layers.Dropout(float(config["seq_classif_dropout"]), dtype=policy)(before(backbone.output[:, 0, :]))
    return classifier(values), {"pre_classifier": before, "classifier": classifier}


CLASSIFICATION = {
    "albert": Head("AlbertForSequenceClassification", "albert.", pooled),
    "bert": Head("BertForSequenceClassification", "bert.", pooled),
    "camembert": Head("CamembertForSequenceClassification", "roberta.", first_token("tanh")),
    "distilbert": Head("DistilBertForSequenceClassification", "distilbert.", distilbert),
    "electra": Head("ElectraForSequenceClassification", "electra.", first_token("gelu")),
    "roberta": Head("RobertaForSequenceClassification", "roberta.", first_token("tanh")),
    "xlm-roberta": Head("XLMRobertaForSequenceClassification", "roberta.", first_token("tanh")),
}
CLASSICAL = {name: Head(kind.architecture, "", classical.head) for name, kind in TYPES.items()}
HEADS = {"classification": {**CLASSIFICATION, **CLASSICAL}}


def of_task(head: str, kind: str) -> Head:
    """The head for a task on a model of this ``model_type``.

    Raises:
        UserError: there is none.
    """
    if kind not in HEADS[head]:
        known = ", ".join(kind for kind in HEADS[head] if kind not in CLASSICAL)
        raise UserError(
            f"base.model: a {kind} model cannot be trained with TensorFlow here; {known} can; or use backend=pytorch"
        )
    return HEADS[head][kind]


def of_saved(config: Config) -> Head:
    """The head that a saved model has.

    Raises:
        UserError: there is none here for such a model.
    """
    (name,), kind = config["architectures"], config["model_type"]
    found = [kinds[kind] for kinds in HEADS.values() if kind in kinds and kinds[kind].architecture == name]
    if not found:
        raise UserError(
            f"there is no network of TensorFlow here for a {name}; leave savedmodel and litert out of export.formats"
        )
    return found[0]


def _rate(config: Config) -> float:
    """Dropout before the classifier."""
    if config["model_type"] == "albert":
        return float(config["classifier_dropout_prob"])
    rate = config["classifier_dropout"]
    return float(config["hidden_dropout_prob"] if rate is None else rate)


def _dense(units: int, policy: Any, activation: str | None = None) -> Any:
    return framework.keras().layers.Dense(units, activation=activation, dtype=policy)
