"""ONNX of models that write text, in half precision."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pipeline.formats import onnx_smaller as smaller
from pipeline.formats.onnx_fp16 import OnnxFp16
from pipeline.formats.onnx_text import OnnxText
from pipeline.formats.onnx_writer import OnnxWriter


class OnnxFp16Text:
    """The graphs of :class:`pipeline.formats.onnx_text.OnnxText`; what goes in and comes out stays as it is."""

    name: ClassVar[str] = OnnxFp16.name
    looser: ClassVar[float] = OnnxFp16.looser
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(model: Path, folder: Path) -> dict[str, Any]:
        return {"graphs": list(smaller.each_graph(folder, partial(OnnxText.write, model), smaller.halve))}

    @staticmethod
    def load(folder: Path) -> OnnxWriter:
        return OnnxWriter(folder)
