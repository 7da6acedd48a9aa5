"""TensorFlow's SavedModel: from any backend's model, for TensorFlow Serving and programs with TensorFlow alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.artifacts import Model
from pipeline.formats.checks import Sample, check_tokenizer
from pipeline.progress import say

if TYPE_CHECKING:
    import numpy as np


class SavedModel:
    """Signature ``serving_default``: ``input_ids`` and ``attention_mask`` (int64, batch × length, both of any size)
    to ``logits`` (float32, batch × labels).

    Where a graph can do what the tokenizer does, there is ``classify`` too: ``texts`` (string, batch) to ``label``
    (string, batch) and ``probabilities`` (float32, batch × labels).
    """

    name: ClassVar[str] = "savedmodel"

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        from pipeline.backends.tensorflow import framework, network
        from pipeline.formats import strings

        tf = framework.tensorflow()
        net = network.load_saved(Model(model))
        served = tf.Module()
        served.variables_of_keras = [variable.value for variable in net.model.variables]  # else they are left out
        served.ids = _on_ids(net)
        signatures = {"serving_default": served.ids}
        tokenizer, why = strings.graph(model)
        if tokenizer is None:
            say(f"savedmodel: takes token ids, not texts: {why}")
        else:
            check_tokenizer(
                "savedmodel", lambda texts: tokenizer(tf.constant(texts))["input_ids"].numpy().tolist(), sample
            )
            served.tokenizer = tokenizer
            served.texts = signatures["classify"] = _on_texts(net, tokenizer)
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

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits (float32, batch × labels)."""
        import tensorflow as tf

        inputs = {"input_ids": tf.constant(ids), "attention_mask": tf.constant(mask)}
        answers: np.ndarray = self._run(**inputs)["logits"].numpy()
        return answers


def _on_ids(net: Any) -> Any:
    import tensorflow as tf

    inputs = [tf.TensorSpec([None, None], tf.int64, name) for name in ("input_ids", "attention_mask")]

    def run(input_ids: Any, attention_mask: Any) -> dict[str, Any]:
        return {"logits": net(tf.cast(input_ids, tf.int32), tf.cast(attention_mask, tf.int32))}

    return tf.function(run, input_signature=inputs, autograph=False)


def _on_texts(net: Any, tokenizer: Any) -> Any:
    import tensorflow as tf

    names = [net.config["id2label"][str(number)] for number in range(len(net.config["id2label"]))]

    def run(texts: Any) -> dict[str, Any]:
        tokens = tokenizer(texts)
        chances = tf.nn.softmax(net(tokens["input_ids"], tokens["attention_mask"]))
        return {"label": tf.gather(names, tf.argmax(chances, -1)), "probabilities": chances}

    return tf.function(run, input_signature=[tf.TensorSpec([None], tf.string, "texts")], autograph=False)
