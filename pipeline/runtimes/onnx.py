"""ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Session:
    """``model.onnx`` in a folder, on the CPU."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits (float32, batch × labels)."""
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        found: np.ndarray = logits
        return found
