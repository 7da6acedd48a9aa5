"""LiteRT, once called TensorFlow Lite: one file, for phones, browsers and small machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.artifacts import Model as Folder
from pipeline.errors import UserError
from pipeline.features import Inputs
from pipeline.formats.checks import Sample

if TYPE_CHECKING:
    import numpy as np

UNABLE = ("text-lstm",)  # Keras' loops over time carry lists whose shape LiteRT wants to know beforehand


class LiteRT:
    """``model.tflite`` with inputs ``input_ids``, ``attention_mask`` and, for two texts, ``token_type_ids`` (int32, batch ×
    length, both of any size) and the output ``logits`` (float32, batch × outputs, or batch × length × outputs), of builtin
    operations only."""

    name: ClassVar[str] = "litert"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        from pipeline.backends.tensorflow import framework, network

        tf = framework.tensorflow()
        net = network.load_saved(Folder(model))
        if net.config["model_type"] in UNABLE:
            raise UserError(
                f"export.formats=litert: its converter cannot do a {net.config['model_type']} of any batch size; leave litert out"
            )
        graph = tf.Module()
        graph.variables_of_keras = [variable.value for variable in net.model.variables]  # else they are left out
        graph.run = network.served(net, sample.inputs(1), "int32")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.run.get_concrete_function()], graph)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        folder.mkdir()
        with framework.silence():
            (folder / "model.tflite").write_bytes(converter.convert())
        return {}

    @staticmethod
    def load(folder: Path) -> Interpreter:
        return Interpreter(folder)


class Interpreter:
    """``model.tflite`` in a folder, on the CPU."""

    def __init__(self, folder: Path) -> None:
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter as Model

        from pipeline.backends.tensorflow import framework

        self._model = Model(str(folder / "model.tflite"))
        self._run = self._model.get_signature_runner("serving_default")
        self._names = self._run.get_input_details()
        with framework.silence():  # when it first runs, it tells on the error stream that it uses XNNPACK
            self.run({name: np.ones((1, 1), np.int64) for name in self._names})

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (float32)."""
        import numpy as np

        answers: np.ndarray = self._run(**{name: inputs[name].astype(np.int32) for name in self._names})["logits"]
        return answers
