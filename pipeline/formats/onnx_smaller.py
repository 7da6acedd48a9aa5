"""Graphs in fewer bits: weights and products of 8 bits, or all of it in half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.features import Inputs
from pipeline.formats.onnx import quiet

if TYPE_CHECKING:
    import numpy as np

PRODUCTS = ("MatMul", "Gemm")
OPERATORS = (*PRODUCTS, "Gather")  # what is of 8 bits: products with weights, and embeddings


def quantize(source: Path, target: Path, *, leave: Sequence[str] = (), rows: Sequence[Inputs] | None = None) -> None:
    """Weights of 8 bits, a scale each channel (Wu et al. 2020); activations of 8 bits, in a range that each batch sets
    anew, or with ``rows`` in the one that these cover.

    Args:
        leave: names of nodes that stay in float.
    """
    from onnxruntime import quantization

    options: dict[str, Any] = {
        "per_channel": True, "weight_type": quantization.QuantType.QInt8, "op_types_to_quantize": list(OPERATORS),
        "nodes_to_exclude": list(leave), "extra_options": {"MatMulConstBOnly": True},
    }  # fmt: skip
    with TemporaryDirectory() as folder, quiet(""):
        ready = Path(folder) / "ready.onnx"
        quantization.quant_pre_process(source, ready, skip_symbolic_shape=True)
        if rows is None:
            quantization.quantize_dynamic(ready, target, **options)
        else:
            kind = quantization.QuantType.QUInt8
            quantization.quantize_static(ready, target, _Calibration(rows), activation_type=kind, **options)


class _Calibration:
    """Rows as ONNX Runtime's calibration asks for them."""

    def __init__(self, rows: Sequence[Inputs]) -> None:
        self._rows = iter(rows)

    def get_next(self) -> Inputs | None:
        return next(self._rows, None)


def halve(source: Path, target: Path) -> None:
    """All in half precision but inputs and outputs."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet(""):
        model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    onnx.save(model, target)


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
    given = _activations(file, {node.input[0] for node in nodes if node.op_type in PRODUCTS}, inputs)
    lost = {}
    for node in nodes:
        weight = onnx.numpy_helper.to_array(weights[_weight(node)])
        if weight.ndim != 2 or not np.issubdtype(weight.dtype, np.floating):
            continue
        if any(each.name == "transB" and each.i for each in node.attribute):
            weight = weight.T
        lost[node.name] = _loss(given.get(node.input[0]), weight)
    return sorted(lost, key=lambda name: -lost[name])


def most_fragile(file: Path, share: float, inputs: Inputs | None = None) -> list[str]:
    """The share of :func:`fragile` that suffers the most."""
    if not share:
        return []
    found = fragile(file, inputs)
    return found[: max(1, round(share * len(found)))]


def _weight(node: Any) -> str:
    return str(node.input[0 if node.op_type == "Gather" else 1])


def _activations(file: Path, names: set[str], inputs: Inputs | None) -> Mapping[str, np.ndarray]:
    """What stands at some places of a graph."""
    import onnx
    import onnxruntime

    if inputs is None:
        return {}
    model = onnx.load(file)
    known = {each.name for each in [*model.graph.output, *model.graph.input]}
    for name in sorted(names - known):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    asked = sorted(names & {each.name for each in session.get_outputs()})
    return dict(zip(asked, session.run(asked, inputs), strict=True))


def _loss(given: np.ndarray | None, weight: np.ndarray) -> float:
    """How far the product with weights (inputs × outputs) is off in 8 bits, as a share of its size."""
    import numpy as np

    def rounded(values: np.ndarray, step: Any) -> np.ndarray:
        step = np.maximum(step, 1e-12)
        found: np.ndarray = np.round(values / step) * step
        return found

    small = rounded(weight, np.abs(weight).max(0) / 127)
    if given is None:
        return float(np.linalg.norm(small - weight) / max(1e-12, float(np.linalg.norm(weight))))
    rows = given.reshape(-1, weight.shape[0])
    right = rows @ weight
    found = rounded(rows, (max(0.0, rows.max()) - min(0.0, rows.min())) / 255) @ small
    return float(np.linalg.norm(found - right) / max(1e-12, float(np.linalg.norm(right))))


@contextmanager
def in_float(folder: Path, files: Sequence[str], make: Callable[[Path], object]) -> Iterator[Path]:
    """The folder of the same model in float: that beside ``folder``, or one that ``make`` makes for now."""
    known = folder.parent / "onnx"
    if all((known / file).is_file() for file in files):
        yield known
        return
    with TemporaryDirectory() as name:
        place = Path(name) / "onnx"
        make(place)
        yield place
