"""The Hugging Face folder, run by PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.features import Inputs
from pipeline.formats.checks import Sample

if TYPE_CHECKING:
    import numpy as np


class Safetensors:
    """``config.json``, ``model.safetensors`` and the tokenizer, for ``from_pretrained``."""

    name: ClassVar[str] = "safetensors"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        return {}  # the model is one already

    @staticmethod
    def load(folder: Path) -> Network:
        return Network(folder)


class Network:
    """The folder, loaded as anybody would load it."""

    def __init__(self, folder: Path) -> None:
        from pipeline.backends.pytorch import network

        self._network = network.load_saved(folder).eval()

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (float32)."""
        import torch

        from pipeline.backends.pytorch import network

        with torch.inference_mode():
            answers: np.ndarray = network.run(self._network, inputs).numpy()
        return answers
