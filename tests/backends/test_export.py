"""Exports are checked before they are trusted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pipeline import backends, formats
from pipeline.artifacts import Bundle, Model, Predictions
from pipeline.backends import Asking, Finetuning, Prediction, Training
from pipeline.backends.heads import HEADS
from pipeline.errors import CheckFailed, UserError
from pipeline.formats import Export
from pipeline.formats.checks import Sample, check_labels, check_logits
from pipeline.formats.onnx import Session
from pipeline.stages.export import Packaging, export
from pipeline.stages.tokenize import Tokenization, tokenize
from tests.backends.conftest import Made, folder

pytestmark = pytest.mark.slow


class Trained(NamedTuple):
    model: Model
    predictions: Predictions


def train(made: Made, place: Path, backend: backends.Name = "pytorch", seed: int = 17, epochs: int = 2) -> Trained:
    training = Training(epochs=epochs, batch_size=16, learning_rate=3e-3, metric="loss", seed=seed)
    config, at = Finetuning(made.task, training), backends.load(backend)
    model = at.finetune(config, folder(place / "model"), base=made.base, tokens=made.tokens)
    return Trained(
        model,
        at.predict(
            Asking(made.task.head, Prediction()), folder(place / "predictions"), model=model, tokens=made.tokens
        ),
    )


def package(made: Made, trained: Trained, out: Path, settings: Export | None = None) -> Bundle:
    settings = settings or Export(timing=False)
    config = Packaging(settings, made.task, formats.chosen(settings, writes=HEADS[made.task.head].writes))
    return export(config, folder(out), **trained._asdict(), tokens=made.tokens, corpus=made.corpus)


@pytest.fixture(scope="module")
def trained(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(made, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def bundle(made: Made, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(made, trained, tmp_path_factory.mktemp("bundle")).path


def answers(bundle: Path, made: Made, batches: list[int]) -> np.ndarray:
    session, split = Session(bundle / "onnx"), made.tokens.features("test")
    at, found = 0, []
    for size in batches:
        found.append(session.run(split.inputs(np.arange(at, at + size))))
        at += size
    return np.concatenate(found)


def sample(made: Made, logits: np.ndarray) -> Sample:
    texts = made.corpus.table("validation")["text"].to_pylist()
    return Sample(made.tokens.features("validation"), np.arange(32), logits, tokens=False, texts=texts)


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
    assert report["safetensors"]["largest_difference"] < 1e-5


def test_an_export_that_answers_otherwise_is_refused(bundle: Path, made: Made) -> None:
    truth = Session(bundle / "onnx").run(made.tokens.features("validation").inputs(np.arange(32)))
    with pytest.raises(
        CheckFailed, match=r"onnx: does not answer as the model does: logits differ by .* the export was not kept"
    ):
        check_logits("onnx", Session(bundle / "onnx"), sample(made, truth + 1e-3), 1e-4)


def test_an_export_of_nonsense_is_refused(bundle: Path, made: Made) -> None:
    nothing = np.full((32, 2), np.nan, np.float32)
    with pytest.raises(CheckFailed):
        check_logits("onnx", Session(bundle / "onnx"), sample(made, nothing), 1e-4)


def test_labels_in_another_order_are_refused(bundle: Path) -> None:
    check_labels(bundle / "model", ["negative", "positive"])
    with pytest.raises(CheckFailed, match="label map says"):
        check_labels(bundle / "model", ["positive", "negative"])


def test_a_tokenizer_that_splits_otherwise_is_refused(
    made: Made, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real export of a model whose folder has another tokenizer than it was trained with."""
    other = shutil.copytree(trained.model.path, tmp_path / "other")
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    assert '"film"' in text
    (other / "tokenizer.json").write_text(text.replace('"film"', '"flim"'), encoding="utf-8")
    with pytest.raises(CheckFailed, match=r"model: its tokenizer splits text .* of the sample in another way"):
        package(made, Trained(Model(other), trained.predictions), tmp_path / "out")


@pytest.mark.parametrize("name", ["safetensors", "onnx"])
def test_a_format_that_answers_as_another_model_fails_the_step(
    made: Made, trained: Trained, tmp_path: Path, name: str
) -> None:
    """The real export, held against the predictions of a model from another seed."""
    other = train(made, tmp_path / "other", seed=5)
    mixed = Trained(trained.model, other.predictions)
    chosen = formats.chosen(Export(formats=("safetensors", "onnx")))
    config = Packaging(Export(timing=False), made.task, tuple(form for form in chosen if form.name == name))
    with pytest.raises(CheckFailed, match=f"{name}: does not answer as the model does"):
        export(config, folder(tmp_path / "out"), **mixed._asdict(), tokens=made.tokens, corpus=made.corpus)


def test_texts_that_are_read_in_pieces_are_packaged_by_these(ready: Callable[..., Made], tmp_path: Path) -> None:
    made = ready("masked")
    tokens = tokenize(Tokenization(made.task, 6), folder(tmp_path / "tokens"), base=made.base, corpus=made.corpus)
    pieces = len(tokens.features("validation"))
    assert pieces > made.corpus.table("validation").num_rows
    made = made._replace(tokens=tokens)
    report = package(made, train(made, tmp_path), tmp_path / "bundle").read("exports.json")
    assert report["onnx"]["rows"] == pieces and report["onnx"]["largest_difference"] < 1e-4


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


class Constant:
    """A model that answers one number to everything."""

    def __init__(self, number: float) -> None:
        self.number = number

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return np.full((len(inputs["input_ids"]), 1), self.number, np.float32)


def test_numbers_in_a_large_unit_may_be_off_in_proportion(made: Made) -> None:
    features, logits = made.tokens.features("validation"), np.full((32, 1), 50_000, np.float32)
    exact, large = (Sample(features, np.arange(32), logits, tokens=False, unit=unit) for unit in (1.0, 50_000.0))
    with pytest.raises(CheckFailed, match="logits differ by"):
        check_logits("onnx", Constant(50_001), exact, 1e-4)
    assert check_logits("onnx", Constant(50_001), large, 1e-4)["largest_difference"] == pytest.approx(2e-5)
    with pytest.raises(CheckFailed, match="logits differ by"):
        check_logits("onnx", Constant(50_010), large, 1e-4)
