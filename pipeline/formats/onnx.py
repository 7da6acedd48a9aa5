"""ONNX, written by PyTorch and run by ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.formats.checks import Sample

if TYPE_CHECKING:
    import numpy as np
    import torch


class Onnx:
    """``model.onnx`` with inputs ``input_ids`` and ``attention_mask`` (int64, batch × length, both of any size) and
    the output ``logits`` (float32, batch × labels)."""

    name: ClassVar[str] = "onnx"

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        import torch

        from pipeline.backends.pytorch import network

        net = network.load_saved(model).eval()

        class Logits(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = net

            def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
                answers: torch.Tensor = self.net(input_ids=input_ids, attention_mask=attention_mask).logits
                return answers

        folder.mkdir()
        ids, mask = sample.inputs(2)
        free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
        with _quiet():
            torch.onnx.export(
                Logits().eval(),
                (torch.from_numpy(ids), torch.from_numpy(mask)),
                str(folder / "model.onnx"),
                input_names=["input_ids", "attention_mask"],
                output_names=["logits"],
                dynamic_shapes={"input_ids": free, "attention_mask": free},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        return {}

    @staticmethod
    def load(folder: Path) -> Session:
        return Session(folder)


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


@contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch's exporter tells things that only its makers need."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
