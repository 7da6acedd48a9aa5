"""ONNX with weights and products of 8 bits: a quarter of the size, and faster on CPUs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

from pipeline.formats import onnx_smaller as smaller
from pipeline.formats.checks import Sample
from pipeline.formats.onnx import Session

# Shares of the operators that stay in float, those that suffer the most: the least share that passes is kept.
CAREFUL = (0.0, 0.125, 0.25, 0.5)
TRIED = 16  # rows to find out with which operators suffer


class OnnxInt8:
    """``model.onnx`` with the inputs and the output of :class:`pipeline.formats.onnx.Onnx`."""

    name: ClassVar[str] = "onnx-int8"
    looser: ClassVar[float] = math.inf  # its score counts
    needs: ClassVar[tuple[str, ...]] = ()
    careful: ClassVar[tuple[float, ...]] = CAREFUL

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample, careful: float = 0.0) -> dict[str, Any]:
        """See :class:`pipeline.formats.Format`.

        Args:
            careful: the share of the operators that stay in float.
        """
        rows, tried = sample.calibration(), sample.inputs(TRIED)
        source = smaller.fused(model, folder, sample)
        folder.mkdir()
        leave = smaller.quantize(source, folder / "model.onnx", careful=careful, tried=tried, rows=rows)
        kind = "static" if rows else "dynamic"
        return {"inputs": list(sample.inputs(1)), "quantization": kind, "in_float": leave}

    @staticmethod
    def load(folder: Path) -> Session:
        return Session(folder)
