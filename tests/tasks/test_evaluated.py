"""Every task through the stage that judges it: truths and answers side by side, and scores in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Model, Predictions
from pipeline.errors import CheckFailed
from pipeline.stages.evaluate import Evaluation, evaluate
from pipeline.tasks import (
    Judging,
    Task,
    choice,
    classification,
    multilabel,
    questions,
    regression,
    roles,
    tagging,
)
from tests.conftest import read_json
from tests.tasks.conftest import SURE, Trial, Try, one_hot

CONTEXT = "Anna fed the cat 😀."
Case = tuple[Task, Judging, list[dict[str, Any]], dict[str, Any], str]
CASES: dict[str, Case] = {
    # The task, examples, what the first line of predictions holds besides its row, and the first score.
    "a label": (
        classification.Classification(), classification.JUDGING,
        [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}],
        {"text": "a", "truth": "x", "label": "x"}, "accuracy",
    ),
    "a label to be found": (
        classification.PairClassification(positive="y"), classification.JUDGING,
        [{"first": "a", "second": "c", "label": "x"}, {"first": "b", "second": "d", "label": "y"}],
        {"first": "a", "second": "c", "truth": "x", "label": "x"}, "f1",
    ),
    "labels": (
        multilabel.MultiLabel(), multilabel.JUDGING,
        [{"text": "a", "labels": ["y", "x"]}, {"text": "b", "labels": []}, {"text": "c", "labels": ["x"]}],
        {"text": "a", "truth": ["x", "y"], "labels": ["x", "y"]}, "f1",
    ),
    "a number": (
        regression.Regression(), regression.JUDGING, [{"text": "a", "score": 1}, {"text": "b", "score": 0}],
        {"text": "a", "truth": 1.0, "score": 1.0}, "pearson",
    ),
    "entities": (
        tagging.Tagging(), tagging.JUDGING, [{"words": ["in", "Bonn"], "tags": ["O", "B-LOC"]}] * 2,
        {"text": "in Bonn", "truth": ["O", "B-LOC"]}, "f1",
    ),
    "parts of speech": (
        tagging.Tagging(), tagging.JUDGING, [{"words": ["in", "Bonn"], "tags": ["ADP", "NOUN"]}] * 2,
        {"text": "in Bonn", "truth": ["ADP", "NOUN"]}, "accuracy",
    ),
    "roles": (
        roles.RoleLabelling(), roles.JUDGING, [{"words": ["Go", "home"], "predicate": 0, "tags": ["B-V", "B-ARG1"]}] * 2,
        {"text": "Go home", "truth": ["O", "B-ARG1"], "predicate": {"text": "Go", "start": 0, "end": 2}}, "f1",
    ),
    "answers": (
        questions.QuestionAnswering(stride=8), questions.JUDGING,
        [{"question": "Who?", "context": CONTEXT, "answers": ["Anna"]},
         {"question": "Why?", "context": CONTEXT, "answers": []}],
        {"question": "Who?", "context": CONTEXT, "answers": ["Anna"], "truth": [0], "answer": "Anna", "start": 0}, "f1",
    ),
    "choices": (
        choice.MultipleChoice(), choice.JUDGING, [{"question": "a", "choices": ["b", "c", "d"], "answer": "B"}] * 2,
        {"question": "a", "choices": ["b", "c", "d"], "truth": 1, "answer": 1, "choice": "c"}, "accuracy",
    ),
}  # fmt: skip


def sure(trial: Trial) -> np.ndarray:
    """Logits that are right beyond doubt."""
    features, count = trial.features, len(trial.labels)
    match trial.task.head:
        case "classification":
            return one_hot(features.numbers("label"), count)
        case "multilabel":
            return np.where(multilabel.hot(features, count), SURE, -SURE).astype(np.float32)
        case "tagging":
            return one_hot(features.lists("label").flat(), count)
        case "questions":
            found = np.zeros((int(features.starts[-1]), 2), np.float32)
            targets = features.lists("label").flat().reshape(-1, 2)
            for side in (0, 1):
                found[features.starts[:-1] + targets[:, side], side] = SURE
            return found
        case _:
            return features.numbers("label").astype(np.float32)[:, None] * (SURE if trial.task.head == "choice" else 1)


@pytest.mark.parametrize("case", CASES)
def test_truths_and_answers_stand_side_by_side_and_scores_are_full(tried: Try, tmp_path: Path, case: str) -> None:
    task, judging, records, first, headline = CASES[case]
    trial = tried(task, records, 32)
    logits = sure(trial)
    for name in ("model", "predictions", "scores", "failing"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "predictions" / "validation.npy", logits)
    model = Model(tmp_path / "model")
    model.write("history.json", {"validation": trial.monitor(logits)})
    model.write("decision.json", task.decide(logits, trial.features, trial.labels))
    made: dict[str, Any] = {
        "model": model, "predictions": Predictions(tmp_path / "predictions"), "tokens": trial.tokens, "corpus": trial.corpus
    }  # fmt: skip
    evaluate(Evaluation(task, judging), tmp_path / "scores", **made)
    scores = read_json(tmp_path / "scores" / "scores.json")["validation"]
    assert next(iter(scores)) == headline and scores[headline] == 1
    assert any(name.startswith("baseline_") for name in scores)
    assert headline in read_json(tmp_path / "scores" / "details.json")["validation"]["intervals"]
    lines = (tmp_path / "scores" / "predictions" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [line["row"] for line in found] == list(range(1, len(records) + 1))
    assert {name: found[0][name] for name in first} == first
    assert not {"begins", "ends"} & found[0].keys()
    model.write("history.json", {"validation": {**trial.monitor(logits), "loss": 3.0}})
    with pytest.raises(CheckFailed, match=r"validation loss is .*, but training ended with 3.0"):
        evaluate(Evaluation(task, judging), tmp_path / "failing", **made)
