"""How many processors work."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline import processors
from pipeline.formats import openvino
from pipeline.formats.onnx import session


@pytest.mark.parametrize(
    ("said", "found"), [("1", 1), ("1,2", 1), ("100000", None), ("0", None), ("", None), ("many", None)]
)
def test_fewer_threads_are_used_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, said: str, found: int | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usual = processors.available()
    assert usual >= 1 and processors.asked() == 0
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert processors.available() == (found or usual)


def test_exports_run_with_the_threads_that_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import onnx

    numbers = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4]) for name in ("x", "logits")]
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["logits"])]
    graph = onnx.helper.make_graph(
        nodes, "g", numbers[:1], numbers[1:], [onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")]
    )
    file = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), file)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert session(file).get_session_options().intra_op_num_threads == 1
    if find_spec("openvino"):
        known = openvino.quietly()
        known.save_model(known.convert_model(file), tmp_path / "model.xml")
        assert openvino.Compiled(tmp_path)._model.get_property("INFERENCE_NUM_THREADS") == 1
