"""What transformers puts on an encoder for each task, of Keras layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.backends import heads
from pipeline.backends.classical import TYPES
from pipeline.backends.tensorflow import classical, encoders, words
from pipeline.backends.tensorflow.body import Body, activation
from pipeline.backends.tensorflow.defaults import Config
from pipeline.backends.tensorflow.top import Build, Built, Head, Top
from pipeline.errors import UserError


def pooled(rate: Callable[[Config], float]) -> Build:
    """Dropout of this rate and a dense layer on the pooled output."""

    def build(body: Body, config: Config, policy: Any) -> Built:
        top = Top(body.backbone.output["pooled_output"], policy)
        return top.drop(rate(config)).dense("classifier", _outputs(config)).built()

    return build


def first_token(function: str) -> Build:
    """Two dense layers on the first token with dropout before each, as RoBERTa and ELECTRA have it."""

    def build(body: Body, config: Config, policy: Any) -> Built:
        top, rate = Top(body.tokens[:, 0, :], policy), _rate(config)
        top.drop(rate).dense("classifier.dense", config["hidden_size"], function)
        return top.drop(rate).dense("classifier.out_proj", _outputs(config)).built()

    return build


def distilbert(body: Body, config: Config, policy: Any) -> Built:
    """A dense layer with ReLU on the first token, dropout, and a dense layer."""
    top = Top(body.tokens[:, 0, :], policy).dense("pre_classifier", config["dim"], "relu")
    return top.drop(config["seq_classif_dropout"]).dense("classifier", _outputs(config)).built()


def summary(body: Body, config: Config, policy: Any) -> Built:
    """A summary of the text, as ELECTRA has it for choices, and a dense layer."""
    if config["summary_type"] != "first":
        what = f"summary_type={config['summary_type']}"
        raise UserError(f"base.model: {what} cannot be trained with TensorFlow for choices; use backend=pytorch")
    top, function = Top(body.tokens[:, 0, :], policy), config["summary_activation"]
    top.drop(config["summary_first_dropout"])
    if config["summary_use_proj"]:
        top.dense("sequence_summary.summary", config["hidden_size"], function)
    elif function:
        top = Top(activation(function)(top.built()[0]), policy)
    return top.drop(config["summary_last_dropout"]).dense("classifier", _outputs(config)).built()


def each_token(body: Body, config: Config, policy: Any) -> Built:
    """Dropout and a dense layer on every token."""
    top = Top(body.tokens, policy)
    return top.drop(_rate(config)).dense("classifier", _outputs(config)).built()


def both_ends(body: Body, config: Config, policy: Any) -> Built:
    """A dense layer on every token; DistilBERT drops out before."""
    top = Top(body.tokens, policy)
    if config["model_type"] == "distilbert":
        top.drop(config["qa_dropout"])
    return top.dense("qa_outputs", _outputs(config)).built()


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
TRAINED: dict[str, tuple[str, ...]] = {**dict.fromkeys(CLASSES, tuple(KINDS)), **words.KINDS}  # model types, by head
CLASSICAL = {name: Head(kind.architecture, "", classical.encoder, classical.head) for name, kind in TYPES.items()}


def of_task(head: str, kind: str) -> Head:
    """The head for a task on a model of this ``model_type``.

    Raises:
        UserError: there is none.
    """
    if kind in CLASSICAL:
        return CLASSICAL[kind]
    if kind not in TRAINED[head]:
        raise UserError(
            f"base.model: a {kind} model cannot be trained with TensorFlow here; {', '.join(TRAINED[head])} can; or use backend=pytorch"
        )
    if head == "causal":
        return words.of_causal(kind)
    if head == "seq2seq":
        return words.of_seq2seq(kind)
    name, prefix, text, choice = KINDS[kind]
    if head == "masked":
        return words.of_masked(kind, name, prefix)
    build = {"tagging": each_token, "questions": both_ends, "choice": choice}.get(head, text)
    return Head(name + CLASSES[head], prefix, encoders.encoder, build, heads.HEADS[head].tokens)


def of_saved(config: Config) -> Head:
    """The head that a saved model has.

    Raises:
        UserError: there is none here for such a model.
    """
    (name,), kind = config["architectures"], config["model_type"]
    known = [of_task(head, kind) for head, kinds in TRAINED.items() if kind in kinds or kind in CLASSICAL]
    found = [head for head in known if head.architecture == name]
    if not found:
        raise UserError(
            f"there is no network of TensorFlow here for a {name}; leave savedmodel and litert out of export.formats"
        )
    return found[0]
