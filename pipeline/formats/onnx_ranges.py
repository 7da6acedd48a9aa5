"""Products of 8 bits whose activations have a range that is known beforehand, in place of one that each batch sets anew.

That saves a pass over all activations, and an answer does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.features import Inputs

if TYPE_CHECKING:
    import numpy as np

DOMAIN = "com.microsoft"
PRODUCT = "MatMulIntegerToFloat"  # with scales and bias in one operator
STEPS = 255  # between the least number of 8 bits and the largest


def fix(file: Path, source: Path, rows: Iterable[Inputs]) -> None:
    """Change a graph that ONNX Runtime's ``quantize_dynamic`` made.

    Args:
        source: the graph that it was made of.
        rows: batches that cover what activations can be.
    """
    import onnx

    model = onnx.load(file)
    graph = model.graph
    rounding = {node.input[0]: node for node in graph.node if node.op_type == "DynamicQuantizeLinear"}
    for name, (least, most) in _ranges(source, set(rounding), rows).items():
        _settle(graph, rounding[name], least, most)
    _join_products(graph)
    if all(each.domain != DOMAIN for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    onnx.save(model, file)


def activations(file: Path, names: set[str], batches: Iterable[Inputs]) -> Iterator[Mapping[str, np.ndarray]]:
    """What stands at some places of a graph, for each batch."""
    import onnx
    import onnxruntime

    model = onnx.load(file)
    known = {each.name for each in [*model.graph.output, *model.graph.input]}
    for name in sorted(names - known):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    asked = sorted(names & {each.name for each in session.get_outputs()})
    for inputs in batches:
        yield dict(zip(asked, session.run(asked, inputs), strict=True))


def _ranges(file: Path, names: set[str], rows: Iterable[Inputs]) -> dict[str, tuple[float, float]]:
    """From the least to the most that stands at each place; 0 is always in between, for it has to be exact."""
    found = dict.fromkeys(sorted(names), (0.0, 0.0))
    if not names:  # all products stay in float
        return found
    for values in activations(file, names, rows):
        for name, (least, most) in found.items():
            found[name] = min(least, float(values[name].min())), max(most, float(values[name].max()))
    return found


def _settle(graph: Any, node: Any, least: float, most: float) -> None:
    """Let a node round in this range; its scale and its zero point, which it answered, are constants from now on."""
    import numpy as np
    from onnx import helper, numpy_helper

    rounded, scale, zero = node.output
    step = (most - least) / STEPS or 1.0
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(step, np.float32), scale),
            numpy_helper.from_array(np.array(min(STEPS, max(0, round(-least / step))), np.uint8), zero),
        ]
    )
    node.CopyFrom(helper.make_node("QuantizeLinear", [node.input[0], scale, zero], [rounded], name=node.name))


def _join_products(graph: Any) -> None:
    """One operator for each product, the conversion to float, both scales, and the bias behind it.

    ONNX Runtime does so by itself, but for products whose range is known.
    """
    from onnx import helper

    constants = {each.name: list(each.dims) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    joined, gone = {}, set()
    for product in [node for node in graph.node if node.op_type == "MatMulInteger"]:
        (cast,) = users[product.output[0]]
        (scaled,) = users[cast.output[0]]
        scales = makers[next(name for name in scaled.input if name != cast.output[0])]
        last, bias = users.get(scaled.output[0], []), ""  # the graph's own output has no user
        if len(last) == 1 and last[0].op_type == "Add":
            width = constants[product.input[1]][-1:]
            bias = next((name for name in last[0].input if constants.get(name) == width), "")
        end = last[0] if bias else scaled
        values, weight, zero, weight_zero = product.input
        inputs = [values, weight, *scales.input, zero, weight_zero, bias]
        joined[end.output[0]] = helper.make_node(PRODUCT, inputs, [end.output[0]], name=product.name, domain=DOMAIN)
        gone |= {node.output[0] for node in (product, cast, scales, scaled, end)}
    kept = [
        joined.get(node.output[0], node)
        for node in graph.node
        if node.output[0] in joined or node.output[0] not in gone
    ]
    del graph.node[:]
    graph.node.extend(kept)
