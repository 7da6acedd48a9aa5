"""TensorFlow's SavedModel: from any backend's model, for TensorFlow Serving and programs with TensorFlow alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.artifacts import Model
from pipeline.features import Inputs
from pipeline.formats.checks import Sample, check_tokenizer
from pipeline.progress import say
from pipeline.tasks import Decision

if TYPE_CHECKING:
    import numpy as np


class SavedModel:
    """Signature ``serving_default``: ``input_ids``, ``attention_mask`` and, for two texts, ``token_type_ids`` (int64, batch
    × length, both of any size) to ``logits`` (float32, batch × outputs, or batch × length × outputs).

    Where one text is answered once, and a graph can do what the tokenizer does, there is ``classify`` too: from ``texts``
    (string, batch) to what :data:`ANSWERS` makes of the logits.
    """

    name: ClassVar[str] = "savedmodel"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ("tensorflow", "keras")

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        from pipeline.backends.tensorflow import framework, network
        from pipeline.formats import strings

        tf = framework.tensorflow()
        net = network.load_saved(Model(model))
        served = tf.Module()
        served.variables_of_keras = [variable.value for variable in net.model.variables]  # else they are left out
        served.ids = network.served(net, sample.inputs(1), "int64")
        signatures = {"serving_default": served.ids}
        if sample.texts is None:
            tokenizer, why = None, "it answers for each token" if sample.tokens else "it reads two texts at once"
        else:
            tokenizer, why = strings.graph(model)
        if tokenizer is None:
            say(f"savedmodel: takes token ids, not texts: {why}")
        else:
            _check(tokenizer, sample)
            served.tokenizer = tokenizer
            served.texts = signatures["classify"] = _on_texts(net, tokenizer, _decision(model))
        tf.saved_model.save(served, str(folder), signatures=signatures)
        return {"signatures": sorted(signatures)}

    @staticmethod
    def load(folder: Path) -> Graph:
        return Graph(folder)


class Graph:
    """A SavedModel in a folder."""

    def __init__(self, folder: Path) -> None:
        from pipeline.backends.tensorflow import framework

        self._loaded = framework.tensorflow().saved_model.load(str(folder))  # keeps the variables alive
        self._run = self._loaded.signatures["serving_default"]

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (float32)."""
        import tensorflow as tf

        _, known = self._run.structured_input_signature
        answers: np.ndarray = self._run(**{name: tf.constant(inputs[name]) for name in known})["logits"].numpy()
        return answers


def _check(tokenizer: Any, sample: Sample) -> None:
    """The tokenizer in the graph must make of the texts the rows that were trained on."""
    import tensorflow as tf

    texts = sample.texts or []
    ids = tokenizer(tf.constant(texts))["input_ids"].numpy().tolist()
    check_tokenizer("savedmodel", texts, ids, sample.ids(), sample.features.pad)


def _decision(model: Path) -> Decision:
    """How answers are read off the logits of the model."""
    file = model / "decision.json"
    found: Decision = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _on_texts(net: Any, tokenizer: Any, decision: Decision) -> Any:
    import tensorflow as tf

    names = [net.config["id2label"][str(number)] for number in range(len(net.config["id2label"]))]
    answer = ANSWERS[net.config.get("problem_type") or "single_label_classification"]
    return tf.function(
        lambda texts: answer(net(tokenizer(texts)), names, decision),
        input_signature=[tf.TensorSpec([None], tf.string, "texts")],
        autograph=False,
    )


def _label(logits: Any, names: list[str], decision: Decision) -> dict[str, Any]:
    """``label`` (string, batch) and ``probabilities`` (float32, batch × labels, in the order of ``id2label``)."""
    import tensorflow as tf

    chances = tf.nn.softmax(logits)
    answers = tf.argmax(chances, -1)
    if "threshold" in decision:
        place = names.index(decision["positive"])
        answers = tf.where(chances[:, place] >= decision["threshold"], place, 1 - place)
    return {"label": tf.gather(names, answers), "probabilities": chances}


def _labels(logits: Any, names: list[str], decision: Decision) -> dict[str, Any]:
    """``names`` (string, labels), ``answers`` (bool, batch × labels: which a text has) and ``probabilities`` (float32,
    batch × labels)."""
    import tensorflow as tf

    chances = tf.nn.sigmoid(logits)
    thresholds = [float(decision.get("thresholds", {}).get(name, 0.5)) for name in names]
    return {"names": tf.constant(names), "answers": chances >= thresholds, "probabilities": chances}


def _score(logits: Any, names: list[str], decision: Decision) -> dict[str, Any]:
    """``score`` (float32, batch)."""
    return {"score": logits[:, 0]}


ANSWERS: Mapping[str, Callable[[Any, list[str], Decision], dict[str, Any]]] = {
    "single_label_classification": _label,
    "multi_label_classification": _labels,
    "regression": _score,
}
