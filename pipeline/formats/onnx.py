"""ONNX, written by PyTorch and run by ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.features import Inputs
from pipeline.formats import onnx_attention
from pipeline.formats.checks import Sample

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    import torch


class Onnx:
    """``model.onnx`` with inputs ``input_ids``, ``attention_mask`` and, for two texts, ``token_type_ids`` (int64, batch ×
    length, both of any size) and the output ``logits`` (float32, batch × outputs, or batch × length × outputs)."""

    name: ClassVar[str] = "onnx"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample, *, fused: bool = False) -> dict[str, Any]:
        """See :class:`pipeline.formats.Format`.

        Args:
            fused: with operators that ONNX Runtime alone knows.
        """
        import torch
        from onnx_ir.passes.common import ClearMetadataAndDocStringPass

        from pipeline.backends.pytorch import network

        net = network.load_saved(model).eval()
        if fused:
            onnx_attention.use(net)
        names = list(sample.inputs(2))

        class Logits(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = net

            def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
                return network.forward(self.net, dict(zip(names, inputs, strict=True)))

        folder.mkdir()
        free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
        with quiet():
            program = torch.onnx.export(
                Logits().eval(),
                tuple(torch.from_numpy(values) for values in sample.inputs(2).values()),
                input_names=names,
                output_names=["logits"],
                dynamic_shapes={"inputs": tuple(free for _ in names)},
                dynamo=True,
                verbose=False,
            )
        ClearMetadataAndDocStringPass()(program.model)  # which tell where it was made
        program.save(folder / "model.onnx", external_data=False)
        return {"inputs": names}

    @staticmethod
    def load(folder: Path) -> Session:
        return Session(folder)


class Session:
    """``model.onnx`` in a folder, on the CPU."""

    def __init__(self, folder: Path) -> None:
        self._session = session(folder / "model.onnx")

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (float32)."""
        (logits,) = self._session.run(["logits"], inputs)
        found: np.ndarray = logits
        return found


def session(file: Path) -> onnxruntime.InferenceSession:
    """A graph, ready to run on the CPU."""
    import onnxruntime

    # The fused operator takes five times as long there as the two that it is made of.
    slow = ["SkipLayerNormFusion"]
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"], disabled_optimizers=slow)


@contextmanager
def quiet(name: str = "torch.onnx") -> Iterator[None]:
    """Exporters and converters tell things that only their makers need."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
