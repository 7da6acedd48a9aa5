"""ONNX in half precision: half the size, for GPUs; on a CPU it is computed as float."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pipeline.formats import onnx_smaller as smaller
from pipeline.formats.checks import Sample
from pipeline.formats.onnx import Session

LOOSER = 300.0  # half precision has 11 bits


class OnnxFp16:
    """``model.onnx`` with the inputs and the output of :class:`pipeline.formats.onnx.Onnx`, which stay as they are."""

    name: ClassVar[str] = "onnx-fp16"
    looser: ClassVar[float] = LOOSER
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        source = smaller.fused(model, folder, sample)
        folder.mkdir()
        smaller.halve(source, folder / "model.onnx")
        return {"inputs": list(sample.inputs(1))}

    @staticmethod
    def load(folder: Path) -> Session:
        return Session(folder)
