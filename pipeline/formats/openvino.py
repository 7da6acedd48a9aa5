"""OpenVINO: for Intel's CPUs, GPUs and NPUs."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline import processors
from pipeline.features import Inputs
from pipeline.formats import onnx_smaller as smaller
from pipeline.formats.checks import Sample
from pipeline.formats.onnx import Onnx

if TYPE_CHECKING:
    import numpy as np


class OpenVino:
    """``model.xml`` and ``model.bin`` with the inputs and the output of :class:`pipeline.formats.onnx.Onnx`."""

    name: ClassVar[str] = "openvino"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        openvino = quietly()
        source = smaller.in_float(folder, "onnx", partial(Onnx.write, model, sample=sample))
        folder.mkdir()
        converted = openvino.convert_model(source / "model.onnx")
        openvino.save_model(converted, folder / "model.xml", compress_to_fp16=False)
        return {"inputs": list(sample.inputs(1))}

    @staticmethod
    def load(folder: Path) -> Compiled:
        return Compiled(folder)


def quietly() -> Any:
    """OpenVINO, which otherwise tells its makers of each use."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class Compiled:
    """``model.xml`` in a folder, on the CPU, in fp32 whatever the CPU likes better."""

    def __init__(self, folder: Path) -> None:
        openvino = quietly()
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
        if threads := processors.asked():
            settings["INFERENCE_NUM_THREADS"] = threads
        self._model = openvino.Core().compile_model(folder / "model.xml", "CPU", settings)

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (float32)."""
        found: np.ndarray = self._model(inputs)["logits"].copy()
        return found
