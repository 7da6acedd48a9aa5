"""Graphs in fewer bits: weights and products of 8 bits, or all of it in half precision."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.features import Inputs
from pipeline.formats import DRAFTS, onnx_ranges
from pipeline.formats.checks import Sample
from pipeline.formats.onnx import Onnx, quiet
from pipeline.formats.onnx_ranges import activations
from pipeline.formats.onnx_text import SETTINGS

if TYPE_CHECKING:
    import numpy as np

PRODUCTS = ("MatMul", "Gemm")
ENOUGH = 512  # tokens to see with what a product loses
OPERATORS = (*PRODUCTS, "Gather")  # what is of 8 bits: products with weights, and embeddings


def quantize(
    source: Path,
    target: Path,
    *,
    careful: float = 0.0,
    tried: Inputs | None = None,
    rows: Sequence[Inputs] | None = None,
) -> list[str]:
    """Weights of 8 bits, a scale each channel (Wu et al. 2020), embeddings with one for all; activations of 8 bits, in a
    range that what is answered at once sets anew, or in the one that ``rows`` cover.  The names of the nodes that stay in
    float.

    Args:
        careful: the share of the nodes that stay so, of those that suffer the most.
        tried: rows to find out with which these are; without any, only the weights are looked at.

    Raises:
        UserError: the weights are too large for one file.
    """
    from onnxruntime import quantization

    _check_size(source, "onnx-int8")
    options: dict[str, Any] = {
        "per_channel": True, "weight_type": quantization.QuantType.QInt8, "op_types_to_quantize": list(OPERATORS),
        "extra_options": {"MatMulConstBOnly": True},
    }  # fmt: skip
    with TemporaryDirectory(dir=target.parent, prefix=".") as folder, quiet(""):
        ready = Path(folder) / "ready.onnx"
        quantization.quant_pre_process(source, ready, skip_symbolic_shape=True)
        found = fragile(ready, tried) if careful else []
        leave = found[: max(1, round(careful * len(found)))]
        # A Gemm becomes a MatMul of this name before anything is left out.
        options["nodes_to_exclude"] = [f"{name}{end}" for name in leave for end in ("", "_MatMul")]
        quantization.quantize_dynamic(ready, target, **options)
        if rows:
            onnx_ranges.fix(target, ready, rows)
    return leave


def halve(source: Path, target: Path) -> None:
    """All in half precision but inputs and outputs.

    Raises:
        UserError: the weights are too large for one file.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _check_size(source, "onnx-fp16")
    with quiet(""):
        model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    onnx.save(model, target)


def _check_size(source: Path, form: str) -> None:
    if source.with_name(f"{source.name}.data").exists():
        raise UserError(
            f"export.formats={form}: cannot be made of weights that are larger than 2 GB in float; leave it out, and use onnx"
        )


def fragile(file: Path, inputs: Inputs | None = None) -> list[str]:
    """The nodes that :func:`quantize` makes of 8 bits, those first whose results change the most by it.

    Args:
        inputs: rows to try it with; without any, only the weights are looked at.
    """
    import numpy as np
    import onnx

    graph = onnx.load(file).graph
    weights = {each.name: each for each in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in OPERATORS and _weight(node) in weights]
    places = {node.input[0] for node in nodes if node.op_type in PRODUCTS}
    given = next(activations(file, places, [inputs])) if inputs else {}
    lost = {}
    for node in nodes:
        weight = onnx.numpy_helper.to_array(weights[_weight(node)])
        if weight.ndim != 2 or not np.issubdtype(weight.dtype, np.floating):
            continue
        if any(each.name == "transB" and each.i for each in node.attribute):
            weight = weight.T
        lost[node.name] = _loss_at_once(weight) if node.op_type == "Gather" else _loss(given.get(node.input[0]), weight)
    return sorted(lost, key=lambda name: -lost[name])


def _weight(node: Any) -> str:
    return str(node.input[0 if node.op_type == "Gather" else 1])


def _loss(given: np.ndarray | None, weight: np.ndarray) -> float:
    """How far the product with weights (inputs × outputs) is off in 8 bits, as a share of its size."""
    import numpy as np

    small = _rounded(weight, np.abs(weight).max(0) / 127)
    if given is None:
        return _share(small, weight)
    rows = given.reshape(-1, weight.shape[0])[:ENOUGH]
    return _share(_rounded(rows, _step(rows)) @ small, rows @ weight)


def _loss_at_once(weight: np.ndarray) -> float:
    """How far embeddings are off, which ONNX Runtime gives one scale for all of them."""
    return _share(_rounded(weight, _step(weight)), weight)


def _step(values: np.ndarray) -> float:
    """Between two of the 256 numbers that reach from the least to the most, with 0 among them."""
    return float(max(0.0, values.max()) - min(0.0, values.min())) / 255


def _rounded(values: np.ndarray, step: Any) -> np.ndarray:
    import numpy as np

    step = np.maximum(step, 1e-12)
    found: np.ndarray = np.round(values / step) * step
    return found


def _share(found: np.ndarray, right: np.ndarray) -> float:
    import numpy as np

    return float(np.linalg.norm(found - right) / max(1e-12, float(np.linalg.norm(right))))


def in_float(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of the same model in float: that of this name beside ``folder``, or a draft there, which is made once for
    all forms that are made of it."""
    for known in (folder.parent / name, folder.parent / DRAFTS / name):
        if known.is_dir():
            return known
    with TemporaryDirectory(dir=folder.parent, prefix=".") as place:
        make(Path(place) / name)
        known.parent.mkdir(exist_ok=True)
        return (Path(place) / name).rename(known)


def fused(model: Path, folder: Path, sample: Sample) -> Path:
    """The graph in float with operators that ONNX Runtime alone knows."""
    return in_float(folder, "fused", partial(Onnx.write, model, sample=sample, fused=True)) / "model.onnx"


def each_graph(folder: Path, make: Callable[[Path], object], change: Callable[[Path, Path], Any]) -> dict[str, Any]:
    """Make ``folder`` from the graphs of a model that writes; what ``change`` says of each file.

    Args:
        make: makes a folder of the model in float.
    """
    source = in_float(folder, "onnx", make)
    folder.mkdir()
    shutil.copyfile(source / SETTINGS, folder / SETTINGS)
    return {file.name: change(file, folder / file.name) for file in sorted(source.glob("*.onnx"))}
