"""Answers that are numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from pipeline.metrics.numbers import ordinal, scores


def test_scores_are_what_they_are_by_hand() -> None:
    found = scores(np.array([1.0, 2, 3, 5]), np.array([1.0, 3, 2, 6]))
    assert found == {
        "pearson": pytest.approx(10 / math.sqrt(8.75 * 14)),
        "spearman": pytest.approx(0.8),
        "mae": 0.75,
        "mse": 0.75,
        "rmse": pytest.approx(math.sqrt(0.75)),
        "r2": pytest.approx(1 - 3 / 14),
    }


@pytest.mark.filterwarnings("error")
def test_a_constant_side_has_no_correlation() -> None:
    varied, same = np.array([1.0, 2, 3]), np.full(3, 2.5)
    for answers, targets in ((same, varied), (varied, same), (same, same), (varied[:1], varied[:1])):
        found = scores(answers, targets)
        assert found["pearson"] == found["spearman"] == 0.0
        assert all(math.isfinite(value) for value in found.values())
    assert scores(varied, same)["r2"] == scores(same, same)["r2"] == 0.0
    assert scores(same, varied)["r2"] == pytest.approx(-0.375)  # worse than answering the mean


def test_single_precision_and_whole_numbers_score_as_double_ones() -> None:
    random = np.random.default_rng(1)
    targets = random.integers(1, 6, 100)
    answers = (targets + random.normal(size=100)).astype(np.float32)
    assert scores(answers, targets) == scores(answers.astype(np.float64), targets.astype(np.float64))


def test_stars_are_rounded_into_their_range() -> None:
    targets = np.array([1, 2, 3, 4, 5, 5])
    answers = np.array([-7.0, 2.4, 4.6, 2.1, 9.0, 4.5])  # 1 2 5 2 5 5: of two as near the higher
    found = ordinal(answers, targets)
    assert found["exact"] == pytest.approx(4 / 6)
    assert found["within_one"] == pytest.approx(4 / 6)
    assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(targets, [1, 2, 5, 2, 5, 5], weights="quadratic"))


def test_kappa_is_that_of_scikit_learn() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        targets = np.array([1, 2, 3, 4, 5, *random.integers(1, 6, 50)])
        answers = targets + random.normal(size=55)
        rounded = np.clip(np.floor(answers + 0.5), 1, 5).astype(int)
        assert ordinal(answers, targets)["kappa"] == pytest.approx(
            metrics.cohen_kappa_score(targets, rounded, weights="quadratic")
        )


def test_values_that_do_not_occur_are_not_answered_and_their_gap_counts() -> None:
    targets = np.array([1, 1, 2, 9, 9])
    answers = np.array([1.4, 4.0, 6.0, 8.0, 3.0])  # 1 2 9 9 2
    found = ordinal(answers, targets)
    assert (found["exact"], found["within_one"]) == (pytest.approx(2 / 5), pytest.approx(3 / 5))
    assert found["kappa"] == pytest.approx(
        metrics.cohen_kappa_score(targets, [1, 2, 9, 9, 2], weights="quadratic", labels=list(range(1, 10)))
    )


def test_values_that_were_learned_may_be_answered_though_none_is_right() -> None:
    answers, targets = np.array([3.0, 3.0, 1.0, 5.0]), np.array([1, 5, 1, 5])
    assert ordinal(answers, targets)["exact"] == 0.75, "of two as near the higher"
    assert ordinal(answers, targets, np.arange(1, 6))["exact"] == 0.5


@pytest.mark.filterwarnings("error")
def test_targets_of_one_value_give_numbers() -> None:
    assert ordinal(np.array([1.0, 8.0]), np.array([3, 3])) == {"exact": 1.0, "within_one": 1.0, "kappa": 0.0}


def test_answers_of_one_value_are_worth_no_kappa() -> None:
    assert ordinal(np.array([3.0, 3.0, 3.0]), np.array([1, 3, 5]))["kappa"] == pytest.approx(0)
