"""ONNX, written by PyTorch and run by ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline import processors
from pipeline.features import Inputs
from pipeline.formats import onnx_attention
from pipeline.formats.checks import Sample

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    import torch

PART = 256  # tokens that are answered by one processor, at most, but for one long row
LARGE = 500_000_000  # bytes of a graph that is not loaded twice


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
    """``model.onnx`` in a folder, on the CPU.  A batch is answered in parts, a processor each: what stands between two
    operators of a part stays in the cache of its processor, and none waits for another before all is done."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._known = folder, _facts(folder)
        self._shared = session(folder / "model.onnx")  # all processors work on each operator

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (float32)."""
        import numpy as np

        (rows, length), workers = inputs["input_ids"].shape, processors.available()
        size = max(1, min(PART // max(1, length), -(-rows // workers)))
        if rows <= size or rows < workers or self._single is None:
            return _logits(self._shared, inputs)
        parts = [{name: values[i : i + size] for name, values in inputs.items()} for i in range(0, rows, size)]
        return np.concatenate(list(self._workers.map(partial(_logits, self._single), parts)))

    @cached_property
    def _single(self) -> onnxruntime.InferenceSession | None:
        """The same graph for one processor; not of one that is large, nor of another that lies there by now."""
        if sum(size for size, *_ in self._known) > LARGE or _facts(self._folder) != self._known:
            return None
        return session(self._folder / "model.onnx", threads=1)

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(processors.available())


def session(file: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """A graph, ready to run on the CPU.

    Args:
        threads: that work on an operator at once; 0: as many as OMP_NUM_THREADS says, else as ONNX Runtime finds cores.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or processors.asked()
    # The fused operator takes five times as long there as the two that it is made of.
    slow = ["SkipLayerNormFusion"]
    return onnxruntime.InferenceSession(
        str(file), options, providers=["CPUExecutionProvider"], disabled_optimizers=slow
    )


def _facts(folder: Path) -> list[tuple[int, ...]]:
    """Size of each file of a graph, and what tells it from others of its name."""
    found = [file.stat() for file in sorted(folder.glob("model.onnx*"))]  # weights of more than 2 GB are beside it
    return [(each.st_size, each.st_ino, each.st_mtime_ns) for each in found]


def _logits(graph: onnxruntime.InferenceSession, inputs: Inputs) -> np.ndarray:
    (found,) = graph.run(["logits"], inputs)
    logits: np.ndarray = found
    return logits


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
