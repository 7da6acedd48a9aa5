"""The networks of :mod:`pipeline.backends.classical` of Keras layers.

Padding changes no answer, by the means of the PyTorch module, but for the LSTM: Keras skips what its mask tells it to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.backends.tensorflow import framework
from pipeline.backends.tensorflow.body import Body
from pipeline.backends.tensorflow.defaults import Config

Built = tuple[Any, dict[str, Any]]  # features of the text, and the layers by their names in a checkpoint


def encoder(config: Config, vocabulary: int, dtype: Any) -> Body:
    """From token ids to the features of a text (batch × features), with a word embedding of so many rows."""
    import numpy as np

    keras = framework.keras()
    ids, mask = (keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "padding_mask"))
    words = keras.layers.Embedding(vocabulary, config["embedding_size"], dtype="float32")
    features, layers = BODIES[config["model_type"]](words(ids), mask, config, dtype)
    backbone = keras.Model({"token_ids": ids, "padding_mask": mask}, features)
    # PyTorch's LSTM has two biases that are added up; the second stays zero there.
    fixed = {
        f"{name}.bias_hh_l0": np.zeros(4 * layer.units, np.float32)
        for name, layer in layers.items()
        if isinstance(layer, keras.layers.LSTM)
    }
    return Body(backbone, {"embeddings.word_embeddings": words, **layers}, fixed=fixed)


def head(body: Body, config: Config, policy: Any) -> Built:
    """Dropout and a dense layer on the features."""
    layers = framework.keras().layers
    classifier = layers.Dense(len(config["id2label"]), dtype=policy)
    return classifier(layers.Dropout(config["dropout"], dtype=policy)(body.tokens)), {"classifier": classifier}


def _mlp(words: Any, mask: Any, config: Config, dtype: Any) -> Built:
    keras = framework.keras()
    real = keras.ops.expand_dims(keras.ops.cast(mask, "float32"), 2)
    mean = keras.ops.sum(words * real, 1) / keras.ops.maximum(keras.ops.sum(real, 1), 1.0)
    hidden = keras.layers.Dense(config["hidden_size"], "relu", dtype=dtype)
    return hidden(keras.layers.Dropout(config["dropout"], dtype="float32")(mean)), {"hidden": hidden}


def _cnn(words: Any, mask: Any, config: Config, dtype: Any) -> Built:
    keras = framework.keras()
    real = keras.ops.expand_dims(keras.ops.cast(mask, "float32"), 2)
    layers = [
        keras.layers.Conv1D(config["filters"], width, padding="same", activation="relu", dtype=dtype)
        for width in config["kernel_sizes"]
    ]
    found = [keras.ops.cast(layer(words * real), "float32") * real for layer in layers]
    features = keras.ops.concatenate([keras.ops.max(values, 1) for values in found], -1)
    return features, {f"convolutions.{number}": layer for number, layer in enumerate(layers)}


def _lstm(words: Any, mask: Any, config: Config, dtype: Any) -> Built:
    keras = framework.keras()
    ways = {"forward_lstm": False, "backward_lstm": True}
    layers = {
        name: keras.layers.LSTM(config["hidden_size"], go_backwards=backwards, dtype=dtype)
        for name, backwards in ways.items()
    }
    words, real = keras.layers.Dropout(config["dropout"], dtype="float32")(words), keras.ops.cast(mask, "bool")
    return keras.ops.concatenate([layer(words, mask=real) for layer in layers.values()], -1), layers


BODIES: dict[str, Callable[[Any, Any, Config, Any], Built]] = {"text-mlp": _mlp, "text-cnn": _cnn, "text-lstm": _lstm}
