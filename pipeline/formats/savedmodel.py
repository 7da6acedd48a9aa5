"""TensorFlow's SavedModel: from any backend's model, for TensorFlow Serving and programs with TensorFlow alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.artifacts import Model
from pipeline.formats.checks import Sample

if TYPE_CHECKING:
    import numpy as np


class SavedModel:
    """Signature ``serving_default``: ``input_ids`` and ``attention_mask`` (int64, batch × length, both of any size)
    to ``logits`` (float32, batch × labels).

    Where the tokenizer can be had in a graph, there is ``classify`` too: ``texts`` (string, batch) to ``label``
    (string, batch) and ``probabilities`` (float32, batch × labels).
    """

    name: ClassVar[str] = "savedmodel"

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        from pipeline.backends.tensorflow import network

        net = network.load_saved(Model(model))
        return {}

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
