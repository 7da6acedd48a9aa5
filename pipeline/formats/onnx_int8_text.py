"""ONNX of models that write text, with weights and products of 8 bits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pipeline.formats import onnx_smaller as smaller
from pipeline.formats.onnx_int8 import CAREFUL, OnnxInt8
from pipeline.formats.onnx_text import OnnxText
from pipeline.formats.onnx_writer import OnnxWriter


class OnnxInt8Text:
    """The graphs of :class:`pipeline.formats.onnx_text.OnnxText`."""

    name: ClassVar[str] = OnnxInt8.name
    looser: ClassVar[float] = OnnxInt8.looser
    needs: ClassVar[tuple[str, ...]] = ()
    careful: ClassVar[tuple[float, ...]] = CAREFUL

    @staticmethod
    def write(model: Path, folder: Path, careful: float = 0.0) -> dict[str, Any]:
        """See :class:`pipeline.formats.TextFormat`.

        Args:
            careful: the share of the operators that stay in float.
        """

        def change(source: Path, target: Path) -> list[str]:
            return smaller.quantize(source, target, careful=careful)

        left = smaller.each_graph(folder, partial(OnnxText.write, model), change)
        in_float = [f"{file}: {name}" for file, names in left.items() for name in names]
        return {"graphs": list(left), "quantization": "dynamic", "in_float": in_float}

    @staticmethod
    def load(folder: Path) -> OnnxWriter:
        return OnnxWriter(folder)
