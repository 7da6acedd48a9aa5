"""Exports are checked before they are trusted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import Model
from pipeline.backends import Export, Finetuning, Training
from pipeline.backends.batches import Ragged
from pipeline.backends.checks import Sample, check_labels, check_logits, check_tokenizer
from pipeline.errors import CheckFailed, UserError
from pipeline.runtimes.onnx import Session
from pipeline.tasks.classification import Classification
from tests.backends.conftest import Made, folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Model:
    from pipeline.backends.pytorch import finetune

    training = Training(epochs=2, batch_size=16, learning_rate=3e-3)
    out = tmp_path_factory.mktemp("model")
    return finetune(Finetuning(Classification(), training), out, base=made.base, tokens=made.tokens)


@pytest.fixture(scope="module")
def bundle(made: Made, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipeline.backends.pytorch import export

    return export(Export(), tmp_path_factory.mktemp("bundle"), model=model, tokens=made.tokens, corpus=made.corpus).path


def answers(bundle: Path, made: Made, batches: list[int]) -> np.ndarray:
    session, split = Session(bundle / "onnx"), Ragged(made.tokens, "test")
    at, found = 0, []
    for size in batches:
        found.append(session.run(*split.padded(np.arange(at, at + size), 0)))
        at += size
    return np.concatenate(found)


def test_onnx_answers_the_same_in_any_batch_size(bundle: Path, made: Made) -> None:
    assert np.abs(answers(bundle, made, [32]) - answers(bundle, made, [1, 3, 7, 21])).max() < 1e-5


def test_the_model_folder_works_with_plain_transformers(bundle: Path, made: Made) -> None:
    import transformers

    classify = transformers.pipeline("text-classification", model=str(bundle / "model"))
    texts = made.corpus.table("test")["text"].to_pylist()
    found = [answer["label"] for answer in classify(texts, truncation=True)]
    names = made.corpus.read("labels.json")
    assert found == [names[i] for i in answers(bundle, made, [32]).argmax(-1)]


def test_what_the_checks_measured_is_written_down(bundle: Path) -> None:
    report = json.loads((bundle / "exports.json").read_text(encoding="utf-8"))
    assert report["onnx"]["rows"] == 32
    assert 0 < report["onnx"]["largest_difference"] < 1e-4
    assert report["safetensors"]["megabytes"] > 0


def test_an_export_that_answers_otherwise_is_refused(bundle: Path, made: Made) -> None:
    split = Ragged(made.tokens, "validation")
    rows = np.arange(32)
    truth = Session(bundle / "onnx").run(*split.padded(rows, 0))
    with pytest.raises(
        CheckFailed, match=r"onnx: does not answer as the model does: logits differ by .* the export was not kept"
    ):
        check_logits("onnx", Session(bundle / "onnx"), Sample(split, rows, 0, truth + 1e-3), 1e-4)


def test_an_export_of_nonsense_is_refused(bundle: Path, made: Made) -> None:
    split = Ragged(made.tokens, "validation")
    nothing = np.full((32, 2), np.nan, np.float32)
    with pytest.raises(CheckFailed):
        check_logits("onnx", Session(bundle / "onnx"), Sample(split, np.arange(32), 0, nothing), 1e-4)


def test_labels_in_another_order_are_refused(bundle: Path) -> None:
    check_labels(bundle / "model", ["negative", "positive"])
    with pytest.raises(CheckFailed, match="label map says"):
        check_labels(bundle / "model", ["positive", "negative"])


def test_a_tokenizer_that_splits_otherwise_is_refused(bundle: Path, made: Made, tmp_path: Path) -> None:
    import shutil

    other = shutil.copytree(bundle / "model", tmp_path / "other")
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(
        text.replace('"lowercase":true', '"lowercase":false')
        .replace("BertPreTokenizer", "Whitespace")
        .replace('"film"', '"flim"'),
        encoding="utf-8",
    )
    sample = Sample(Ragged(made.tokens, "validation"), np.arange(32), 0, np.zeros((32, 2)))
    with pytest.raises(CheckFailed, match="its tokenizer splits validation row"):
        check_tokenizer(other, sample, made.corpus)


def test_a_failing_check_fails_the_step(
    made: Made, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real export of the real model, with a runtime that loads the wrong one."""
    from pipeline.backends.pytorch import export as stage
    from pipeline.backends.pytorch.finetune import finetune

    training = Training(epochs=1, batch_size=16, learning_rate=1e-2, seed=5)
    other = finetune(
        Finetuning(Classification(), training), folder(tmp_path / "other"), base=made.base, tokens=made.tokens
    )
    wrong = stage(Export(), folder(tmp_path / "wrong"), model=other, tokens=made.tokens, corpus=made.corpus)
    import importlib

    module = importlib.import_module("pipeline.backends.pytorch.export")
    monkeypatch.setattr(module, "Session", lambda place: Session(wrong.path / "onnx"))
    with pytest.raises(CheckFailed, match="onnx: does not answer as the model does"):
        stage(Export(), folder(tmp_path / "out"), model=model, tokens=made.tokens, corpus=made.corpus)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formats": ("onnx",)}, "formats must have safetensors"),
        ({"rows": 0}, "an export is never left unchecked"),
        ({"tolerance": 0.0}, "tolerance must be more than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Export(**settings)  # type: ignore[arg-type]
