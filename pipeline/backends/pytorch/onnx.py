"""PyTorch to ONNX."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.backends.checks import Sample

if TYPE_CHECKING:
    import torch


def to_onnx(net: Any, folder: Path, sample: Sample) -> None:
    """Write ``model.onnx`` with inputs ``input_ids`` and ``attention_mask`` (int64, batch × length, both
    of any size) and the output ``logits`` (float32, batch × labels)."""
    import torch

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
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
