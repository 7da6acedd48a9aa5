"""Tasks with labels or a number for a text or a pair: encoded, decided, answered and judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.tasks import choice, classification, multilabel, regression
from pipeline.tasks.choice import MultipleChoice
from pipeline.tasks.classification import Classification, PairClassification
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.regression import PairRegression, Regression
from tests.tasks.conftest import ODD, SURE, Try, one_hot

KINDS = ["ham", "ham", "spam", "ham", "spam", "ham", "ham", "ham", "ham", "ham"]


def labelled(*names: str) -> list[dict[str, Any]]:
    return [{**dict.fromkeys(names, text), "label": label} for text, label in zip(ODD, KINDS, strict=True)]


def truth(numbers: list[int], count: int) -> np.ndarray:
    return one_hot(numbers, count)


@pytest.mark.parametrize("task", [Classification(), PairClassification()], ids=["one", "pair"])
def test_sure_logits_give_the_very_labels_and_full_marks(tried: Try, task: Any) -> None:
    trial = tried(task, labelled(*(("first", "second") if task.segments else ("text",))))
    logits = one_hot([row["label"] for row in trial.rows], 2)
    found = trial.monitor(logits)
    assert found["loss"] < 1e-4 and (found["accuracy"], found["f1"]) == (1, 1)
    evidence = trial.evidence(logits)
    assert evidence.decision == {}
    answers = list(classification.decode(evidence))
    assert [answer["label"] for answer in answers] == KINDS
    assert all(answer["probabilities"][answer["label"]] > 0.999 for answer in answers)
    scores, details = classification.judge(evidence)
    assert (scores["accuracy"], scores["f1"], scores["baseline_accuracy"]) == (1, 1, 0.8)
    assert next(iter(scores)) == "accuracy" and details["intervals"]["accuracy"] == [1, 1]


@pytest.mark.parametrize("task", [Classification(), PairClassification()], ids=["one", "pair"])
def test_the_baseline_answers_the_commonest_label_of_training_not_of_what_is_judged(tried: Try, task: Any) -> None:
    trial = tried(task, labelled(*(("first", "second") if task.segments else ("text",))))
    judged = trial.corpus.table("train").take([0, 2, 4])  # of ham, which is commoner in training, there is one
    evidence = replace(trial.evidence(one_hot([0, 1, 1], 2), {}), corpus=judged)
    assert classification.judge(evidence)[0]["baseline_accuracy"] == pytest.approx(1 / 3, abs=1e-6)
    alone, _ = classification.judge(replace(evidence, train=None))
    assert "baseline_accuracy" not in alone and next(iter(alone)) == "accuracy"


def test_texts_of_one_part_have_no_types_and_pairs_tell_theirs_apart(tried: Try) -> None:
    one = tried(Classification(), labelled("text")).tokens.table("train")
    assert one.column_names == ["input_ids", "example", "label"]
    pair = tried(PairClassification(), labelled("first", "second")).tokens.table("train").to_pylist()[0]
    half = len(pair["input_ids"]) // 2 + 1
    assert pair["token_type_ids"] == [0] * half + [1] * (half - 1)
    assert pair["input_ids"][half - 1] == pair["input_ids"][-1] == 102


def test_of_a_pair_the_longer_text_is_cut_and_counted(tried: Try) -> None:
    rows = [
        {"first": "soup " * first, "second": "room " * second, "label": label}
        for first, second, label in ((50, 3, "a"), (3, 50, "b"), (3, 3, "a"), (50, 50, "b"))
    ]
    trial = tried(PairClassification(), rows, 23)
    found = [(row.count(11350), row.count(2282)) for row in trial.tokens.table("train")["input_ids"].to_pylist()]
    assert found == [(17, 3), (3, 17), (3, 3), (10, 10)]
    assert trial.tokens.read("tokens.json")["splits"]["train"]["cut"] == 3


def test_the_label_to_be_found_is_answered_from_the_probability_that_is_best_for_it(tried: Try) -> None:
    trial = tried(Classification(positive="spam"), labelled("text"))
    spam = np.array([0.1, 0.1, 0.4, 0.1, 0.35, 0.2, 0.1, 0.1, 0.1, 0.1], np.float32)  # never above a half
    logits = np.log(np.stack([1 - spam, spam], 1))
    assert trial.monitor(logits)["f1"] == 1  # with the threshold that the model will be given
    evidence = trial.evidence(logits)
    assert 0.2 < evidence.decision["threshold"] <= 0.35 and evidence.decision["positive"] == "spam"
    assert [answer["label"] for answer in classification.decode(evidence)] == KINDS
    scores, details = classification.judge(evidence)
    assert next(iter(scores)) == "f1" and scores["f1"] == scores["precision"] == scores["recall"] == 1
    assert details["intervals"]["f1"][1] == 1
    late = {"threshold": 0.38, "positive": "spam"}
    assert classification.judge(trial.evidence(logits, late))[0]["recall"] == 0.5


def test_a_monitored_f1_is_that_of_the_label_to_be_found(tried: Try) -> None:
    logits = one_hot([0, 0, 1, 1, 0, 0, 0, 0, 0, 0], 2)  # one of two found, and one more; no threshold parts them
    assert tried(Classification(positive="spam"), labelled("text")).monitor(logits)["f1"] == pytest.approx(0.5)
    assert tried(Classification(positive="ham"), labelled("text")).monitor(logits)["f1"] == pytest.approx(16 / 18)
    assert tried(Classification(), labelled("text")).monitor(logits)["f1"] == pytest.approx((0.5 + 0.875) / 2)


# Several labels

SETS = [["joy"], [], ["fear", "joy"], ["anger"], ["anger", "fear", "joy"], [], ["joy"], ["fear"], ["anger"], ["joy"]]
NAMES = ["anger", "fear", "joy"]
ROWS = [{"text": text, "labels": labels} for text, labels in zip(ODD, SETS, strict=True)]
HOT = np.array([[name in labels for name in NAMES] for labels in SETS])


def test_several_sure_labels_are_answered_and_judged(tried: Try) -> None:
    trial = tried(MultiLabel(), ROWS)
    assert (multilabel.hot(trial.features, 3) == HOT).all()
    logits = np.where(HOT, SURE, -SURE).astype(np.float32)
    found = trial.monitor(logits)
    assert found["loss"] < 1e-4 and (found["f1"], found["f1_micro"]) == (1, 1)
    evidence = trial.evidence(logits)
    assert [answer["labels"] for answer in multilabel.decode(evidence)] == SETS
    scores, details = multilabel.judge(evidence)
    assert list(scores)[:5] == list(multilabel.HEADLINE)
    assert scores["f1"] == scores["f1_micro"] == scores["subset_accuracy"] == scores["label_ranking"] == 1
    assert scores["baseline_f1"] == pytest.approx(
        np.mean([2 * each / (10 + each) for each in HOT.sum(0).tolist()]), abs=1e-6
    )
    assert details["labels"]["joy"]["f1"] == 1 and details["intervals"]["f1_micro"] == [1, 1]


def test_each_label_has_the_threshold_that_is_best_for_it(tried: Try) -> None:
    trial = tried(MultiLabel(), ROWS)
    low, high = np.array([0.01, 0.3, 0.8]), np.array([0.2, 0.5, 0.95])
    shares = np.where(HOT, high, low)
    evidence = trial.evidence(np.log(shares / (1 - shares)).astype(np.float32))
    thresholds = evidence.decision["thresholds"]
    assert list(thresholds) == NAMES
    assert all(a < thresholds[name] <= b + 1e-6 for name, a, b in zip(NAMES, low, high, strict=True))
    assert [answer["labels"] for answer in multilabel.decode(evidence)] == SETS
    halves = dict.fromkeys(NAMES, 0.5)
    always = multilabel.judge(trial.evidence(evidence.logits, {"thresholds": halves}))
    assert always[0]["subset_accuracy"] < 0.5 and always[1]["labels"]["joy"]["threshold"] == 0.5


def test_a_label_that_nobody_gives_counts_in_the_interval_as_in_the_score(tried: Try) -> None:
    trial = tried(MultiLabel(), ROWS, labels=(*NAMES, "pride", "relief", "remorse"))
    targets = multilabel.hot(trial.features, 6)
    answers = targets.copy()
    answers[0, 0] = True  # one too many
    evidence = trial.evidence(np.where(answers, SURE, -SURE).astype(np.float32), {
        "thresholds": dict.fromkeys(trial.labels, 0.5)})  # fmt: skip
    scores, details = multilabel.judge(evidence)
    low, high = details["intervals"]["f1"]
    assert scores["f1"] == pytest.approx((6 / 7 + 1 + 1) / 6, abs=1e-6)
    assert low < scores["f1"] <= high <= 0.5


# Numbers


@pytest.mark.parametrize("task", [Regression(), PairRegression()], ids=["one", "pair"])
def test_the_very_numbers_give_full_marks_and_the_median_a_baseline(tried: Try, task: Any) -> None:
    names = ("first", "second") if task.segments else ("text",)
    rows = [{**dict.fromkeys(names, text), "score": n % 5 + 1} for n, text in enumerate(ODD)]
    trial = tried(task, rows)
    targets = np.array([row["label"] for row in trial.rows], np.float32)
    found = trial.monitor(targets[:, None])
    assert found == {"loss": 0, "pearson": pytest.approx(1), "spearman": pytest.approx(1), "mae": 0}
    evidence = trial.evidence(targets[:, None] + np.float32(0.25))
    assert [answer["score"] for answer in regression.decode(evidence)] == [n % 5 + 1.25 for n in range(10)]
    scores, details = regression.judge(evidence)
    assert next(iter(scores)) == "pearson" and scores["pearson"] == 1 and scores["mae"] == 0.25
    assert scores["baseline_mae"] == np.abs(targets - 3).mean().round(6)
    assert scores["exact"] == scores["within_one"] == 1
    assert details["intervals"]["mae"] == [0.25, 0.25]
    assert ("baseline_pearson" in scores) == task.segments


def test_numbers_between_steps_that_were_learned_are_no_steps_of_the_scale(tried: Try) -> None:
    trial = tried(Regression(), [{"text": text, "score": n % 5 + 1} for n, text in enumerate(ODD)])
    targets = np.array([row["label"] for row in trial.rows], np.float32)[:, None]
    finer = pa.table({"label": np.arange(10, 51, dtype=np.float32) / 10})
    evidence = replace(trial.evidence(targets + np.float32(0.12)), train=finer)
    assert regression.judge(evidence)[0]["exact"] == 1


def test_two_texts_share_of_words_is_the_baseline_of_similarity(tried: Try) -> None:
    texts = [("a b c d", "a b c d", 4), ("a b c d", "a b x y", 2), ("我爱北京", "我爱上海", 2), ("a b", "x y", 0)]
    rows = [{"first": one, "second": other, "score": score} for one, other, score in texts]
    trial = tried(PairRegression(), rows)
    assert regression._overlaps(trial.corpus.table("train")).tolist() == [1, 2 / 6, 2 / 6, 0]
    scores, _ = regression.judge(trial.evidence(np.zeros((4, 1), np.float32)))
    assert scores["pearson"] == 0 and scores["baseline_pearson"] > 0.9


def test_numbers_between_steps_are_no_scale(tried: Try) -> None:
    trial = tried(Regression(), [{"text": text, "score": n / 3} for n, text in enumerate(ODD)])
    assert "within_one" not in regression.judge(trial.evidence(np.ones((10, 1), np.float32)))[0]


# Choices

QUESTIONS = [
    {"question": f"{text}?", "choices": [f"choice {k} {text}" for k in range(n % 3 + 3)], "answer": n % (n % 3 + 3)}
    for n, text in enumerate(ODD)
]


def test_of_three_to_five_choices_the_sure_one_is_answered(tried: Try) -> None:
    trial = tried(MultipleChoice(), QUESTIONS)
    counts = [len(question["choices"]) for question in QUESTIONS]
    assert trial.features.examples.tolist() == np.repeat(np.arange(10), counts).tolist()
    right = trial.features.numbers("label")
    starts = np.cumsum([0, *counts[:-1]])
    assert np.flatnonzero(right).tolist() == [s + q["answer"] for s, q in zip(starts, QUESTIONS, strict=True)]
    logits = (right[:, None] * SURE + 100).astype(np.float32)
    found = trial.monitor(logits)
    assert found["loss"] < 1e-4 and found["accuracy"] == 1
    evidence = trial.evidence(logits)
    for answer, question in zip(choice.decode(evidence), QUESTIONS, strict=True):
        assert answer["answer"] == question["answer"] and answer["choice"] == question["choices"][answer["answer"]]
        assert len(answer["probabilities"]) == len(question["choices"])
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
    scores, details = choice.judge(evidence)
    assert scores == {"accuracy": 1, "baseline_accuracy": pytest.approx(np.mean(1 / np.array(counts)), abs=1e-6)}
    assert details["intervals"]["accuracy"] == [1, 1]


def test_choices_are_compared_with_those_of_the_same_question_only(tried: Try) -> None:
    trial = tried(MultipleChoice(), QUESTIONS)
    shift = np.repeat(np.arange(10) * 40 - 200, np.bincount(trial.features.examples))
    logits = (trial.features.numbers("label") + shift)[:, None].astype(np.float32)
    assert trial.monitor(logits)["accuracy"] == 1
    assert choice.judge(trial.evidence(logits))[0]["accuracy"] == 1
    wrong = -logits + 2 * shift[:, None].astype(np.float32)
    assert choice.judge(trial.evidence(wrong))[0]["accuracy"] == 0


def test_question_and_choice_are_two_parts_and_the_longer_is_cut(tried: Try) -> None:
    rows = [
        {"question": "soup " * 50, "choices": ["room", "room " * 40], "answer": 1},
        {"question": "soup", "choices": ["room"] * 2, "answer": 0},
    ]
    trial = tried(MultipleChoice(), rows, 23)
    found = trial.tokens.table("train").to_pylist()
    assert [(row["input_ids"].count(11350), row["input_ids"].count(2282)) for row in found] == [
        (19, 1), (10, 10), (1, 1), (1, 1)
    ]  # fmt: skip
    assert sum(found[1]["token_type_ids"]) == 11
    facts = trial.tokens.read("tokens.json")["splits"]["train"]
    assert (facts["rows"], facts["features"], facts["cut"]) == (2, 4, 1)
