"""ONNX of models that write text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

from pipeline.formats.onnx_writer import OnnxWriter

SETTINGS = "generation_config.json"


class OnnxText:
    """``model.onnx``, or ``encoder.onnx`` and ``decoder.onnx``, as :mod:`pipeline.formats.onnx_graphs` has them, and
    ``generation_config.json``."""

    name: ClassVar[str] = "onnx"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(model: Path, folder: Path) -> dict[str, Any]:
        """Make ``folder`` from the Hugging Face folder ``model``; what is worth telling of it.

        Raises:
            UserError: PyTorch cannot export such a model.
        """
        from pipeline.backends.pytorch import network
        from pipeline.formats import onnx_graphs

        net = network.load_saved(model).eval()
        folder.mkdir()
        graphs = onnx_graphs.export(net, folder)
        if (model / SETTINGS).is_file():
            shutil.copyfile(model / SETTINGS, folder / SETTINGS)
        else:
            net.generation_config.save_pretrained(folder)
        return {"graphs": graphs}

    @staticmethod
    def load(folder: Path) -> OnnxWriter:
        """What :meth:`write` wrote, ready to run."""
        return OnnxWriter(folder)
