"""Scores are what the saved model earns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import Corpus, Model, Predictions
from pipeline.corpora.source import Source
from pipeline.errors import CheckFailed
from pipeline.stages.collect import Collection, collect
from pipeline.stages.evaluate import Evaluation, _compare, evaluate
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks.classification import JUDGING, Classification, monitor
from tests.conftest import form_of

Judge = Callable[..., Path]
TRUTH = [0, 0, 0, 1, 1, 2, 2, 2]
ANSWERS = [0, 0, 1, 1, 1, 2, 0, 2]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    for split in ("train", "validation", "test"):
        rows = "".join(f"{split} text {i},{'abc'[label]}\n" for i, label in enumerate(TRUTH))
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{split}.csv").write_text("text,label\n" + rows, encoding="utf-8")
    (tmp_path / "corpus").mkdir()
    return collect(Collection(Source(str(tmp_path / "data")), form_of(Classification())), tmp_path / "corpus")


@pytest.fixture
def judged(corpus: Corpus, tmp_path: Path, tiny_model: Path) -> Judge:
    """``judged(claimed=…)``: the folder of scores; ``claimed`` is what training is said to have ended with."""

    def call(*, claimed: dict[str, float] | None = None) -> Path:
        logits = np.eye(3, dtype=np.float32)[ANSWERS] * 2
        for name in ("predictions", "model", "scores", "tokens"):
            (tmp_path / name).mkdir()
        for split in ("validation", "test"):
            np.save(tmp_path / "predictions" / f"{split}.npy", logits)
        model = Model(tmp_path / "model")
        model.write("history.json", {"validation": claimed or monitor(logits, np.array(TRUTH), ["a", "b", "c"])})
        model.write("decision.json", {})
        task = Classification()
        tokens = tokenize(Tokenization(task, 16), tmp_path / "tokens", base=Model(tiny_model), corpus=corpus)
        predictions = Predictions(tmp_path / "predictions")
        made = {"model": model, "predictions": predictions, "tokens": tokens, "corpus": corpus}
        return evaluate(Evaluation(task, JUDGING), tmp_path / "scores", **made).path

    return call


def test_scores_are_those_of_scikit_learn(judged: Judge) -> None:
    from sklearn import metrics

    scores = json.loads((judged() / "scores.json").read_text(encoding="utf-8"))
    assert set(scores) == {"validation", "test"}
    assert scores["test"]["accuracy"] == 0.75
    assert scores["test"]["f1"] == pytest.approx(metrics.f1_score(TRUTH, ANSWERS, average="macro"), abs=1e-6)
    assert scores["test"]["f1_weighted"] == pytest.approx(
        metrics.f1_score(TRUTH, ANSWERS, average="weighted"), abs=1e-6
    )
    assert scores["test"]["matthews"] == pytest.approx(metrics.matthews_corrcoef(TRUTH, ANSWERS), abs=1e-6)
    assert scores["test"]["baseline_accuracy"] == 0.375


def test_details_hold_each_label_the_confusion_matrix_and_intervals(judged: Judge) -> None:
    details = json.loads((judged() / "details.json").read_text(encoding="utf-8"))["test"]
    assert details["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 2]]
    assert details["labels"]["b"] == {"precision": pytest.approx(2 / 3, abs=1e-6), "recall": 1.0, "f1": 0.8, "rows": 2}
    low, high = details["intervals"]["accuracy"]
    assert 0.25 <= low < 0.75 < high <= 1


def test_every_answer_stands_beside_its_text(judged: Judge) -> None:
    lines = (judged() / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    first, third = json.loads(lines[0]), json.loads(lines[2])
    assert first["row"] == 1 and first["text"] == "test text 0"
    assert (third["truth"], third["label"]) == ("a", "b")
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_saved_model_that_answers_otherwise_than_in_training_fails(judged: Judge) -> None:
    with pytest.raises(CheckFailed, match=r"validation accuracy is 0.750000, but training ended with 0.250000"):
        judged(claimed={"accuracy": 0.25})


def test_the_numbers_of_training_are_those_of_evaluation() -> None:
    """Two ways to compute accuracy and F1, one without scikit-learn: they must agree on any answers."""
    from sklearn import metrics

    random = np.random.default_rng(3)
    for _ in range(50):
        logits, targets = random.normal(size=(40, 5)).astype(np.float32), random.integers(0, 5, 40)
        found = monitor(logits, targets, list("abcde"))
        assert found["accuracy"] == metrics.accuracy_score(targets, logits.argmax(-1))
        assert found["f1"] == pytest.approx(metrics.f1_score(targets, logits.argmax(-1), average="macro"))
        assert found["loss"] == pytest.approx(
            metrics.log_loss(targets, np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), labels=range(5)), abs=1e-5
        )


def test_a_saved_model_that_answers_with_no_number_is_not_what_was_trained() -> None:
    with pytest.raises(CheckFailed, match="validation loss is nan, but training ended with"):
        _compare({"loss": math.nan, "accuracy": 0.86}, {"loss": 0.41, "accuracy": 0.86}, 196)
