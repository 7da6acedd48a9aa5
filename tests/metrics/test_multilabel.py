"""Any number of labels an example: scores are scikit-learn's, thresholds the best there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from pipeline.metrics.multilabel import per_label, scores, threshold, thresholds

Array = np.ndarray


def drawn(seed: int, rows: int = 60, labels: int = 5) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(seed)
    targets = random.random((rows, labels)) < 0.3
    chances = np.clip(0.5 * targets + random.random((rows, labels)) * 0.6, 0, 1)
    return chances >= 0.5, targets, chances


def test_scores_are_those_of_scikit_learn() -> None:
    for seed in range(5):
        answers, targets, chances = drawn(seed)
        some = targets.any(1)
        macro: dict[str, Any] = {"average": "macro", "zero_division": 0.0}
        assert scores(answers, targets, chances) == {
            "f1": pytest.approx(metrics.f1_score(targets, answers, **macro)),
            "f1_micro": pytest.approx(metrics.f1_score(targets, answers, average="micro")),
            "f1_samples": pytest.approx(metrics.f1_score(targets, answers, average="samples", zero_division=0.0)),
            "precision": pytest.approx(metrics.precision_score(targets, answers, **macro)),
            "recall": pytest.approx(metrics.recall_score(targets, answers, **macro)),
            "subset_accuracy": pytest.approx(metrics.accuracy_score(targets, answers)),
            "label_ranking": pytest.approx(metrics.label_ranking_average_precision_score(targets[some], chances[some])),
        }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("true", [False, True])
@pytest.mark.parametrize("labels", [1, 3])
def test_labels_that_never_or_always_occur_give_numbers(labels: int, true: bool, said: bool) -> None:
    answers, targets = np.full((4, labels), said), np.full((4, labels), true)
    found = scores(answers, targets, answers * 0.9)
    assert all(math.isfinite(value) for value in found.values())
    assert found["f1"] == found["f1_micro"] == found["f1_samples"] == float(true and said)
    assert found["subset_accuracy"] == float(true == said)
    for row in per_label(answers, targets, ["a", "b", "c"][:labels]).values():
        assert row == {"precision": float(true and said), "recall": float(true and said),
                       "f1": float(true and said), "rows": 4.0 * true}  # fmt: skip


def test_a_single_label_is_no_pair_of_classes() -> None:
    answers, targets = np.array([[1], [0], [0], [0]], bool), np.array([[1], [1], [0], [0]], bool)
    found = scores(answers, targets, np.array([[0.9], [0.2], [0.1], [0.1]]))
    assert (found["precision"], found["recall"], found["f1"]) == (1.0, 0.5, pytest.approx(2 / 3))
    assert found["f1_samples"] == 0.25
    assert per_label(answers, targets, ["spam"])["spam"]["f1"] == pytest.approx(2 / 3)


def test_rows_without_labels_are_left_out_of_the_ranking() -> None:
    chances = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]])
    targets = np.array([[0, 0, 1], [0, 0, 0]], bool)
    assert scores(chances >= 0.5, targets, chances)["label_ranking"] == 0.5


def test_each_label_has_its_own_numbers() -> None:
    answers = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], bool)
    targets = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], bool)
    assert per_label(answers, targets, ["a", "b", "c"]) == {
        "a": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "rows": 2.0},
        "b": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "rows": 2.0},
        "c": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 0.0},
    }


def f1(chances: Array, positive: Array, cut: float) -> float:
    return float(metrics.f1_score(positive, chances >= cut, zero_division=0.0))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("steps", [3, 10, 1000])  # few steps, many ties
def test_no_cut_is_better_than_the_threshold_and_none_as_good_is_nearer_to_a_half(seed: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    positive = random.random(40) < 0.3
    positive[0] = True
    chances = np.round((0.3 * positive + random.random(40) * 0.7) * steps) / steps
    found = threshold(chances, positive)
    values = np.unique([0.0, *chances])
    cuts = [*((values[1:] + values[:-1]) / 2), *([0.0] if chances.min() == 0 else [])]
    best = max(f1(chances, positive, cut) for cut in cuts)
    assert f1(chances, positive, found) == best
    nearest = min((cut for cut in cuts if f1(chances, positive, cut) == best), key=lambda cut: abs(cut - 0.5))
    assert abs(found - 0.5) == pytest.approx(abs(nearest - 0.5))


def test_a_threshold_lies_half_way_between_its_neighbours() -> None:
    assert threshold(np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, False, True, True])) == pytest.approx(0.4)
    assert threshold(np.array([0.8, 0.9]), np.array([True, True])) == pytest.approx(0.4)  # everything is answered
    assert threshold(np.array([0.0, 0.0]), np.array([True, False])) == 0.0
    assert threshold(np.array([0.3, 0.3, 0.3]), np.array([True, False, False])) == pytest.approx(0.15)


def test_the_threshold_of_what_never_occurs_is_a_half() -> None:
    assert threshold(np.array([0.1, 0.9]), np.array([False, False])) == 0.5
    assert threshold(np.array([]), np.array([])) == 0.5


def test_of_two_best_thresholds_the_one_nearer_to_a_half_is_taken() -> None:
    # 0.85 answers one of one, 0.35 both of four: F1 2/3 each way
    chances, positive = np.array([0.9, 0.8, 0.5, 0.4, 0.3]), np.array([True, False, False, True, False])
    assert f1(chances, positive, 0.85) == f1(chances, positive, 0.35) == pytest.approx(2 / 3)
    assert threshold(chances, positive) == pytest.approx(0.35, abs=1e-12)
    assert threshold(chances - 0.25, positive) == pytest.approx(0.6, abs=1e-12)


def test_neighbours_with_nothing_between_them_are_parted() -> None:
    low = 0.5
    high = float(np.nextafter(low, 1))
    chances = np.array([low, high])
    assert f1(chances, np.array([False, True]), threshold(chances, np.array([False, True]))) == 1.0
    single = np.array([low, np.nextafter(np.float32(low), np.float32(1))], dtype=np.float32)
    assert f1(single, np.array([False, True]), threshold(single, np.array([False, True]))) == 1.0


def test_every_label_gets_its_threshold() -> None:
    _, targets, chances = drawn(7)
    targets[:, 2] = False
    found = thresholds(chances, targets)
    assert found.shape == (5,) and found[2] == 0.5
    before = scores(chances >= 0.5, targets, chances)["f1"]
    assert scores(chances >= found, targets, chances)["f1"] >= before
