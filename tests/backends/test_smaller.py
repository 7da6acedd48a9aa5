"""Forms in fewer bits, and what every form goes through: its score, and a process of its own."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from pipeline import formats, processors
from pipeline.artifacts import Model
from pipeline.backends import predicted
from pipeline.errors import CheckFailed, TooInexact, UserError
from pipeline.formats import Export, alone, onnx_ranges, onnx_smaller, scores
from pipeline.formats import onnx as formats_onnx
from pipeline.formats.checks import Sample, check_score
from pipeline.formats.onnx import Onnx, Session, session
from pipeline.formats.onnx_text import OnnxText
from pipeline.formats.safetensors import Safetensors
from pipeline.formats.safetensors_text import SafetensorsText
from pipeline.tasks import multilabel
from pipeline.tasks.regression import PairRegression
from pipeline.tasks.tagging import Tagging
from tests.backends.conftest import EVERY, Made
from tests.backends.forms import Careless, Violent
from tests.backends.test_classical import scratch
from tests.backends.test_classical import trained as pytorch_trained
from tests.backends.test_export import Trained, package, train
from tests.conftest import ROOT, make_writer, read_json

pytestmark = pytest.mark.slow
SMALLER = ("safetensors", "onnx", "onnx-int8", "onnx-fp16")
BASES = {"seq2seq": "t5", "causal": "llama", "text": "gpt2"}


def kinds(file: Path) -> set[int]:
    """Of what types the weights of a graph are."""
    return {each.data_type for each in onnx.load(file).graph.initializer if np.prod(each.dims) > 100}


def in_float(model: Model, place: Path, made: Made) -> Sample:
    """Write a graph of the standard's operators to ``place``; the rows that it was tried with."""
    sample = Sample(made.tokens.features("validation"), np.arange(8), np.zeros((8, 2)), False)
    Onnx.write(model.path, place, sample)
    return sample


@pytest.mark.parametrize("name", [name for name in EVERY if name not in BASES])
def test_static_ranges_suit_every_head(name: str, ready: Callable[..., Made], tmp_path: Path) -> None:
    made = ready(name)
    settings = Export(formats=("safetensors", "onnx-int8"), quantization="static", budget=100, timing=False)
    report = package(made, train(made, tmp_path), tmp_path / "bundle", settings).read("exports.json")["onnx-int8"]
    assert report["quantization"] == "static"
    assert report["largest_difference"] < 0.2


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


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A network for each time that PyTorch exports one."""
    import torch

    found: list[object] = []
    export = torch.onnx.export

    def counted(network: torch.nn.Module, *given: Any, **more: Any) -> Any:
        found.append(network)
        return export(network, *given, **more)

    monkeypatch.setattr(torch.onnx, "export", counted)
    return found


def test_what_several_forms_are_made_of_is_exported_once(
    made: Made, trained: Trained, tmp_path: Path, exported: list[object]
) -> None:
    bundle = package(made, trained, tmp_path / "bundle", Export(formats=SMALLER, budget=100, timing=False))
    assert len(exported) == 2  # for what every runtime knows, and with the operators of ONNX Runtime
    assert {file.name for file in bundle.path.iterdir()} >= {"exports.json", "model", *SMALLER[1:]}
    assert not [file for file in bundle.path.iterdir() if file.name.startswith(".")]


def test_what_suffers_from_fewer_bits_stays_in_float(
    made: Made, loud: Trained, tmp_path: Path, told: list[str], exported: list[object]
) -> None:
    settings = Export(formats=("safetensors", "onnx-int8"), budget=5, tolerance=1e-3, timing=False)
    report = package(made, loud, tmp_path / "bundle", settings).read("exports.json")["onnx-int8"]
    assert 1 <= len(report["in_float"]) < 8
    graph = onnx.load(tmp_path / "bundle" / "onnx-int8" / "model.onnx").graph
    floats = {
        each.name for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT and len(each.dims) > 1
    }
    kept = {node.name.removesuffix("_MatMul") for node in graph.node if floats & set(node.input)}
    assert kept >= set(report["in_float"])
    assert "made again with more of it in float" in "\n".join(told)
    assert len(exported) == 1


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
    assert len(names) > 12
    assert set(onnx_smaller.fragile(file)) == set(names)


def test_embeddings_lose_what_one_scale_for_all_of_them_costs(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    words, weight, given = (draw.normal(size=size).astype(np.float32) for size in ((50, 64), (32, 64), (50, 32)))
    words[:, 3] *= 60  # nothing that a scale for each column would not bear
    weight[::16] *= 4
    nodes = [
        onnx.helper.make_node("Gather", ["words", "ids"], ["read"], name="embed"),
        onnx.helper.make_node("MatMul", ["given", "weight"], ["made"], name="product"),
        onnx.helper.make_node("Add", ["read", "made"], ["logits"], name="sum"),
    ]
    ids = onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["rows"])
    numbers = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", width])
        for name, width in (("given", 32), ("logits", 64))
    ]
    held = [onnx.numpy_helper.from_array(array, name) for name, array in (("words", words), ("weight", weight))]
    graph = onnx.helper.make_graph(nodes, "g", [ids, numbers[0]], [numbers[1]], held)
    file = tmp_path / "float.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), file)
    assert onnx_smaller.fragile(file) == ["embed", "product"]
    lost = []
    for share in (0.0, 0.5):
        onnx_smaller.quantize(file, tmp_path / "int8.onnx", careful=share)
        (found,) = session(tmp_path / "int8.onnx").run(["logits"], {"ids": np.arange(50), "given": given})
        lost.append(float(np.abs(found - words - given @ weight).mean()))
    assert lost[1] < lost[0] / 2


def test_static_quantization_knows_the_range_of_activations_beforehand(
    made: Made, trained: Trained, tmp_path: Path
) -> None:
    settings = Export(formats=("safetensors", "onnx-int8"), quantization="static", budget=7, timing=False)
    bundle = package(made, trained, tmp_path / "bundle", settings)
    operators = Counter(node.op_type for node in onnx.load(bundle.path / "onnx-int8" / "model.onnx").graph.node)
    assert operators["MatMulIntegerToFloat"] == 14  # 2 layers of 6 products, the pooler and the classifier
    assert operators["QuantizeLinear"] == 10  # what three products of attention share is rounded once
    assert not {"DynamicQuantizeLinear", "MatMulInteger", "MatMul"} & set(operators)
    assert bundle.read("exports.json")["onnx-int8"]["quantization"] == "static"


def test_static_quantization_answers_a_row_the_same_whatever_stands_beside_it(
    made: Made, loud: Trained, tmp_path: Path
) -> None:
    features = made.tokens.features("test")
    inputs = features.inputs(np.arange(8))
    apart = {}
    for kind in ("static", "dynamic"):
        settings = Export(("safetensors", "onnx-int8"), quantization=kind, budget=100, tolerance=1e-3, timing=False)
        session = Session(package(made, loud, tmp_path / kind, settings).path / "onnx-int8")
        alone = [session.run({name: values[row : row + 1] for name, values in inputs.items()}) for row in range(8)]
        apart[kind] = np.abs(np.concatenate(alone) - session.run(inputs)).max()
    assert apart["static"] < 1e-5 < apart["dynamic"]


def test_a_range_covers_what_calibration_rows_hold_and_nothing_else(
    made: Made, trained: Trained, tmp_path: Path
) -> None:
    file = tmp_path / "float" / "model.onnx"
    in_float(trained.model, file.parent, made)
    rows = [made.tokens.features("train").inputs(np.arange(start, start + 4)) for start in (0, 4)]
    onnx_smaller.quantize(file, tmp_path / "int8.onnx", rows=rows)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    known = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    rounding = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    held = list(onnx_ranges.activations(file, {node.input[0] for node in rounding}, rows))
    assert len(held) == 2 and all(held)
    for node in rounding:
        place, scale, zero = node.input
        values = np.concatenate([each[place].ravel() for each in held])
        step, least = known[scale], -known[scale] * known[zero]
        assert least <= min(values.min(), 0) + step and least + 255 * step >= values.max() - step
        assert 255 * step == pytest.approx(max(values.max(), 0) - min(values.min(), 0), rel=1e-5)


def test_parts_that_are_answered_side_by_side_come_back_in_order(
    made: Made, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "onnx"
    in_float(trained.model, place, made)
    features = made.tokens.features("train")
    inputs = features.inputs(np.arange(80))
    whole = session(place / "model.onnx").run(["logits"], inputs)[0]
    assert inputs["input_ids"].size > 2 * formats_onnx.PART
    monkeypatch.setattr(processors, "available", lambda: 3)
    parts = Session(place)
    assert np.abs(parts.run(inputs) - whole).max() < 1e-5
    assert vars(parts)["_single"] is not None
    monkeypatch.setattr(formats_onnx, "PART", 1)  # a part a row
    assert np.abs(Session(place).run(inputs) - whole).max() < 1e-5
    assert np.ptp(whole, axis=0).min() > 1e-2
    few = Session(place)
    for count in (0, 1, 2):  # all processors answer fewer rows than there are of them
        assert few.run({name: values[:count] for name, values in inputs.items()}).shape == (count, 2)
    assert "_single" not in vars(few)
    monkeypatch.setattr(formats_onnx, "LARGE", 0)
    large = Session(place)
    assert np.array_equal(large.run(inputs), whole) and large._single is None


def test_a_model_that_was_exchanged_after_it_was_loaded_answers_as_it_was(
    made: Made, trained: Trained, tmp_path: Path
) -> None:
    other = tmp_path / "other-model"
    shutil.copytree(trained.model.path, other, copy_function=shutil.copyfile)
    tensors = load_file(other / "model.safetensors")
    save_file(
        {**tensors, "classifier.bias": tensors["classifier.bias"] + 1}, other / "model.safetensors", {"format": "pt"}
    )
    for name, model in {"one": trained.model, "other": Model(other)}.items():
        in_float(model, tmp_path / name, made)
    inputs = made.tokens.features("train").inputs(np.arange(80))
    first, second = Session(tmp_path / "one"), Session(tmp_path / "one")
    wanted = first.run(inputs)
    (tmp_path / "other" / "model.onnx").replace(tmp_path / "one" / "model.onnx")
    assert np.abs(second.run(inputs) - wanted).max() < 1e-5
    assert np.abs(Session(tmp_path / "one").run(inputs) - wanted).max() > 0.5
    third = Session(tmp_path / "one")
    shutil.rmtree(tmp_path / "one")
    assert third.run(inputs).shape == wanted.shape


@pytest.mark.parametrize("kind", ["mlp", "cnn", "lstm"])
@pytest.mark.parametrize("careful", [0.0, 0.5])
def test_networks_from_before_transformers_have_static_ranges_too(
    made: Made, kind: str, careful: float, tmp_path: Path
) -> None:
    ready = scratch(kind, made, tmp_path)
    file = tmp_path / "float" / "model.onnx"
    sample = in_float(pytorch_trained("pytorch", ready, tmp_path / "model", epochs=1), file.parent, ready)
    rows = [ready.tokens.features("train").inputs([row]) for row in range(32)]
    (tmp_path / "int8").mkdir()
    small = tmp_path / "int8" / "model.onnx"
    left = onnx_smaller.quantize(file, small, careful=careful, tried=sample.inputs(8), rows=rows)
    assert bool(left) == bool(careful)
    assert "DynamicQuantizeLinear" not in {node.op_type for node in onnx.load(small).graph.node}
    assert np.abs(Session(small.parent).run(rows[0]) - Session(file.parent).run(rows[0])).max() < 0.05


def test_a_graph_all_of_whose_products_stay_in_float_needs_no_ranges(
    made: Made, trained: Trained, tmp_path: Path
) -> None:
    file = tmp_path / "float" / "model.onnx"
    sample = in_float(trained.model, file.parent, made)
    rows = [made.tokens.features("train").inputs([0])]
    onnx_smaller.quantize(file, tmp_path / "int8.onnx", careful=1.0, tried=sample.inputs(8), rows=rows)
    operators = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert "MatMul" in operators and not {"QuantizeLinear", "MatMulIntegerToFloat"} & operators


def test_every_form_is_timed_in_one_run(made: Made, trained: Trained, tmp_path: Path) -> None:
    report = package(made, trained, tmp_path / "bundle", Export(formats=SMALLER[:3], budget=7)).read("exports.json")
    for found in report.values():
        assert set(found["milliseconds"]) == {"1", "32"} and found["processors"] >= 1
        assert found["rows_per_second"] == pytest.approx(32_000 / found["milliseconds"]["32"], rel=0.01)


def test_a_form_that_scores_less_than_the_budget_allows_is_refused() -> None:
    def check(found: float, budget: float = 0.5, rows: int = 1000, **more: float) -> None:
        check_score("onnx-int8", "f1", {"f1": found, **more}, {"f1": 0.9, "mae": 1.0}, budget, rows, 2.0)

    check(0.895, mae=1.0)
    check(0.95, 0.0, mae=0.5)
    check(0.882, rows=100, mae=1.0)  # two rows
    check(0.9, mae=1.01)
    with pytest.raises(
        TooInexact, match=r"int8: f1 0.8940 on 1,000 .* has 0.9000 and export.budget=0.5 allows to lose 0.5"
    ):
        check(0.894, mae=1.0)
    with pytest.raises(TooInexact, match=r"mae 1.0110 .* the model has 1.0000"):
        check(0.9, mae=1.011)
    with pytest.raises(TooInexact):
        check(float("nan"), mae=1.0)
    with pytest.raises(UserError, match="budget must be at least 0"):
        Export(budget=-1)


def test_a_form_that_needs_a_framework_without_saying_so_is_refused(made: Made, trained: Trained) -> None:
    inputs = made.tokens.features("test").inputs([0])
    with pytest.raises(CheckFailed, match=r"safetensors: cannot be run in a process of its own without torch, .*torch"):
        alone.run(Careless, trained.model.path, [inputs])
    with pytest.raises(
        CheckFailed, match=r"in a process of its own, it was killed by signal 9, perhaps for want of memory"
    ):
        alone.run(Violent, trained.model.path, [inputs])


def test_modules_of_the_same_names_where_a_command_is_given_are_no_matter(
    made: Made, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pipeline.py", "statistics.py"):
        (tmp_path / name).write_text("raise SystemExit(name)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found, _ = alone.run(Safetensors, trained.model.path, [made.tokens.features("test").inputs([0])], timing=False)
    assert found[0].shape == (1, 2)


def test_thresholds_are_those_of_the_model_not_those_that_suit_the_export(ready: Callable[..., Made]) -> None:
    made = ready("multilabel")
    features, labels = made.tokens.features("validation"), made.tokens.read("labels.json")
    logits = np.where(multilabel.hot(features, len(labels)), 1.0, -1.0).astype(np.float32)
    decision = made.task.decide(logits, features, labels)
    assert made.task.monitor(logits, features, labels, decision)["f1"] == 1
    assert made.task.monitor(logits - 5, features, labels)["f1"] == 1
    assert made.task.monitor(logits - 5, features, labels, decision)["f1"] < 1


def test_scores_are_by_what_the_model_was_chosen_by() -> None:
    assert scores.measure(Tagging(), "f1") == "f1"
    assert scores.measure(Tagging(), "loss") == "accuracy"
    assert scores.measure(PairRegression(), "mae") == "pearson"


def test_a_graph_says_nothing_of_where_it_was_made(made: Made, trained: Trained, tmp_path: Path) -> None:
    settings = Export(formats=SMALLER[:3], budget=7, timing=False)
    bundle = package(made, trained, tmp_path / "bundle", settings)
    for form in ("onnx", "onnx-int8"):
        content = (bundle.path / form / "model.onnx").read_bytes()
        assert str(ROOT).encode() not in content and b'File "' not in content
    assert sorted(place.name for place in bundle.path.iterdir()) == ["exports.json", "model", "onnx", "onnx-int8"]


def test_weights_beside_a_graph_are_too_large_for_fewer_bits(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.data").touch()
    with pytest.raises(
        UserError, match=r"export.formats=onnx-int8: cannot be made of weights that are larger than 2 GB"
    ):
        onnx_smaller.quantize(tmp_path / "model.onnx", tmp_path / "out.onnx")
    with pytest.raises(UserError, match=r"export.formats=onnx-fp16: .* leave it out"):
        onnx_smaller.halve(tmp_path / "model.onnx", tmp_path / "out.onnx")


def test_masked_words_are_timed_with_as_many_rows_as_their_answers_have_room(
    ready: Callable[..., Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ready("masked")
    monkeypatch.setattr(predicted, "LOGITS", 60_000)
    report = package(made, train(made, tmp_path), tmp_path / "bundle", Export(budget=100)).read("exports.json")
    sizes = sorted(map(int, report["onnx"]["milliseconds"]))
    assert sizes[0] == 1 < sizes[-1] < 32


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
        assert found[0].shape == (2, alone.NEW_TOKENS)


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


CLASSIFIERS: dict[str, dict[str, Any]] = {
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0},
    "llama": {"num_key_value_heads": 1},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2},
    "albert": {"embedding_size": 16},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p"]},
}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_attention_as_one_operator_answers_as_that_of_the_network(kind: str, tmp_path: Path) -> None:
    import torch
    import transformers

    sizes = CLASSIFIERS[kind] if kind in ("t5", "gpt2") else {**SIZES, **CLASSIFIERS[kind]}
    config = transformers.AutoConfig.for_model(kind, vocab_size=100, pad_token_id=0, eos_token_id=1, **sizes)
    torch.manual_seed(0)
    network = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for tensor in network.parameters():
            if tensor.ndim > 1:
                tensor.normal_(0, 0.3)
    network.save_pretrained(tmp_path / "model")
    ids = np.random.default_rng(0).integers(5, 99, (2, 7))
    ids[:, -1] = 1  # T5 answers at the end of a text
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    sample: Any = SimpleNamespace(inputs=lambda count: inputs)
    Onnx.write(tmp_path / "model", tmp_path / "onnx", sample, fused=True)
    with torch.inference_mode():
        wanted = network(**{name: torch.from_numpy(values) for name, values in inputs.items()}).logits.numpy()
    assert np.abs(Session(tmp_path / "onnx").run(inputs) - wanted).max() < 1e-4
    operators = {node.op_type for node in onnx.load(tmp_path / "onnx" / "model.onnx").graph.node}
    assert ("MultiHeadAttention" in operators) == (kind != "deberta-v2")  # which has an attention of its own
