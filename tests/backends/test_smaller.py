"""Forms in fewer bits, and what every form goes through: its score, and a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from pipeline import formats
from pipeline.artifacts import Model
from pipeline.errors import CheckFailed, UserError
from pipeline.formats import Export, alone, onnx_smaller
from pipeline.formats.checks import check_score
from pipeline.formats.onnx import Session
from pipeline.formats.onnx_text import OnnxText
from pipeline.formats.safetensors_text import SafetensorsText
from tests.backends.conftest import EVERY, Made
from tests.backends.test_export import Trained, package, train
from tests.conftest import make_writer, read_json

pytestmark = pytest.mark.slow
SMALLER = ("safetensors", "onnx", "onnx-int8", "onnx-fp16")
BASES = {"seq2seq": "t5", "causal": "llama", "text": "gpt2"}


def kinds(file: Path) -> set[int]:
    """Of what types the weights of a graph are."""
    return {each.data_type for each in onnx.load(file).graph.initializer if np.prod(each.dims) > 100}


@pytest.mark.parametrize("name", EVERY)
def test_fewer_bits_score_as_the_model_does_with_every_head(
    name: str, ready: Callable[..., Made], tmp_path: Path, told: list[str]
) -> None:
    made = ready(name, make_writer(tmp_path / "base-model", BASES[name])) if name in BASES else ready(name)
    settings = Export(formats=SMALLER, budget=100, timing=False)  # 16 rows say nothing of half a point
    bundle = package(made, train(made, tmp_path), tmp_path / "bundle", settings)
    report = bundle.read("exports.json")
    assert tuple(report) == SMALLER
    assert report["onnx-fp16"]["largest_difference"] < 0.03
    for file in (bundle.path / "onnx-int8").glob("*.onnx"):
        assert onnx.TensorProto.INT8 in kinds(file)
        assert onnx.TensorProto.FLOAT not in kinds(bundle.path / "onnx-fp16" / file.name)
    for form in SMALLER[1:]:
        assert any(line.startswith(f"{form}: {report[form]['rows']} validation ") for line in told)
        assert (bundle.path / form / "decision.json").is_file()


@pytest.fixture(scope="module")
def trained(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(made, tmp_path_factory.mktemp("trained"), epochs=8)


@pytest.fixture(scope="module")
def loud(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The same model with a number in each layer's attention that is thousands of times as large as all others, and that
    nothing depends on."""
    folder = tmp_path_factory.mktemp("loud")
    for file in trained.model.path.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    tensors = {name: tensor.copy() for name, tensor in load_file(folder / "model.safetensors").items()}
    for layer in range(2):
        tensors[f"bert.encoder.layer.{layer}.attention.self.value.bias"][3] = 2e3
        tensors[f"bert.encoder.layer.{layer}.attention.output.dense.weight"][:, 3] = 0
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return Trained(Model(folder), trained.predictions)


def test_what_suffers_from_fewer_bits_stays_in_float(
    made: Made, loud: Trained, tmp_path: Path, told: list[str]
) -> None:
    settings = Export(formats=("safetensors", "onnx-int8"), budget=5, tolerance=1e-3, timing=False)
    report = package(made, loud, tmp_path / "bundle", settings).read("exports.json")["onnx-int8"]
    assert 1 <= len(report["in_float"]) < 8
    assert "made again with more of it in float" in "\n".join(told)


def test_what_is_loud_is_found_by_what_the_product_behind_it_loses(made: Made, loud: Trained, tmp_path: Path) -> None:
    bundle = package(
        made, loud, tmp_path / "bundle", Export(formats=("safetensors", "onnx"), tolerance=1e-3, timing=False)
    )
    file = bundle.path / "onnx" / "model.onnx"
    names = onnx_smaller.fragile(file, made.tokens.features("validation").inputs(np.arange(8)))
    graph = {node.name: node for node in onnx.load(file).graph.node}
    weights = {each.name: tuple(each.dims) for each in onnx.load(file).graph.initializer}
    inputs = {graph[name].input[0] for name in names[:2]}
    assert len(inputs) == 2 and all(weights[graph[name].input[1]] == (32, 32) for name in names[:2])
    assert len(names) > 12 and onnx_smaller.most_fragile(file, 0.0) == []
    assert set(onnx_smaller.fragile(file)) == set(names)


def test_static_quantization_knows_the_range_of_activations_beforehand(
    made: Made, trained: Trained, tmp_path: Path
) -> None:
    settings = Export(formats=("safetensors", "onnx-int8"), quantization="static", budget=7, timing=False)
    bundle = package(made, trained, tmp_path / "bundle", settings)
    operators = {node.op_type for node in onnx.load(bundle.path / "onnx-int8" / "model.onnx").graph.node}
    assert "DequantizeLinear" in operators and "DynamicQuantizeLinear" not in operators
    assert bundle.read("exports.json")["onnx-int8"]["quantization"] == "static"


def test_every_form_is_timed_in_one_run(made: Made, trained: Trained, tmp_path: Path) -> None:
    report = package(made, trained, tmp_path / "bundle", Export(formats=SMALLER[:3], budget=7)).read("exports.json")
    for found in report.values():
        assert set(found["milliseconds"]) == {"1", "32"} and found["processors"] >= 1
        assert found["rows_per_second"] == pytest.approx(32_000 / found["milliseconds"]["32"], rel=0.01)


def test_a_form_that_scores_less_than_the_budget_allows_is_refused() -> None:
    check_score("onnx-int8", "accuracy", 0.895, 0.9, 0.5)
    check_score("onnx-int8", "accuracy", 0.95, 0.9, 0.0)
    with pytest.raises(
        CheckFailed, match=r"onnx-int8: accuracy 0.8940 .* the model has 0.9000 .* allows 0.5 points less"
    ):
        check_score("onnx-int8", "accuracy", 0.894, 0.9, 0.5)
    with pytest.raises(CheckFailed):
        check_score("onnx-int8", "accuracy", float("nan"), 0.9, 0.5)
    with pytest.raises(UserError, match="budget must be at least 0"):
        Export(budget=-1)


def test_a_form_that_needs_a_framework_without_saying_so_is_refused(made: Made, trained: Trained) -> None:
    form: Any = SimpleNamespace(name="safetensors", needs=())
    with pytest.raises(CheckFailed, match=r"safetensors: cannot be run in a process of its own without torch, .*torch"):
        alone.run(form, trained.model.path, [made.tokens.features("test").inputs([0])])


def test_a_process_of_its_own_answers_the_same(made: Made, trained: Trained, tmp_path: Path) -> None:
    bundle = package(made, trained, tmp_path / "bundle", Export(formats=SMALLER, budget=7, timing=False))
    batches = [made.tokens.features("test").inputs(np.arange(size)) for size in (1, 5)]
    (kind,) = formats.chosen(Export(formats=("safetensors", "onnx-int8")))[1:]
    found, speed = alone.run(kind, bundle.path / "onnx-int8", batches, timing=False)
    session = Session(bundle.path / "onnx-int8")
    assert [alone.difference(one, session.run(inputs)) for one, inputs in zip(found, batches, strict=True)] == [0, 0]
    assert speed == {}
    assert alone.difference(found[0], found[1]) == float("inf")


def test_a_text_is_timed_by_writing_always_as_much(tmp_path: Path) -> None:
    model = make_writer(tmp_path / "model", "llama")
    OnnxText.write(model, tmp_path / "onnx")
    inputs = {name: np.ones((2, 5), np.int64) for name in ("input_ids", "attention_mask")}
    for form, place in ((OnnxText, tmp_path / "onnx"), (SafetensorsText, model)):
        found, _ = alone.run(form, place, [inputs], writes=True, timing=False)
        assert found[0].shape == (2, alone.WRITTEN)


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
@pytest.mark.parametrize("name", ["classification", "tagging", "pairs"])
def test_openvino_answers_as_the_model_does(name: str, ready: Callable[..., Made], tmp_path: Path) -> None:
    made = ready(name)
    settings = Export(formats=("safetensors", "openvino"))
    report = package(made, train(made, tmp_path), tmp_path / "bundle", settings).read("exports.json")
    assert report["openvino"]["largest_difference"] < 1e-4 and report["openvino"]["milliseconds"]["32"] > 0


@pytest.mark.skipif(find_spec("openvino") is not None, reason="OpenVINO is installed")
def test_openvino_is_asked_for_by_the_name_of_its_extra() -> None:
    with pytest.raises(UserError, match="OpenVINO is not installed; install it with: make setup EXTRAS=openvino"):
        formats.chosen(Export(formats=("safetensors", "openvino")))


def test_forms_that_cannot_hold_a_model_that_writes_are_named() -> None:
    with pytest.raises(UserError, match=r"cannot hold a model that writes text; use .*onnx,onnx-int8,onnx-fp16"):
        formats.chosen(Export(formats=("safetensors", "litert")), writes=True)


def test_what_was_measured_is_plain_json(made: Made, trained: Trained, tmp_path: Path) -> None:
    package(made, trained, tmp_path / "bundle", Export(timing=False))
    report = read_json(tmp_path / "bundle" / "exports.json")
    assert report["safetensors"]["score"] == report["onnx"]["score"]
