"""ONNX of models that write text, with weights and products of 8 bits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

from pipeline.formats import onnx_smaller as smaller
from pipeline.formats.onnx_int8 import CAREFUL, OnnxInt8
from pipeline.formats.onnx_text import SETTINGS, OnnxText
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
        left = {}
        with smaller.in_float(folder, [SETTINGS], lambda place: OnnxText.write(model, place)) as source:
            folder.mkdir()
            shutil.copyfile(source / SETTINGS, folder / SETTINGS)
            for file in sorted(source.glob("*.onnx")):
                left[file.name] = smaller.most_fragile(file, careful)
                smaller.quantize(file, folder / file.name, leave=left[file.name])
        return {
            "graphs": list(left),
            "quantization": "dynamic",
            "in_float": [name for names in left.values() for name in names],
        }

    @staticmethod
    def load(folder: Path) -> OnnxWriter:
        return OnnxWriter(folder)
