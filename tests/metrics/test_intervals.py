"""Bootstrap intervals."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from pipeline.metrics.intervals import bootstrap


def share(answers: np.ndarray, targets: np.ndarray) -> float:
    return float((answers == targets).mean())


def mean(values: np.ndarray) -> float:
    return float(values.mean())


def test_intervals_of_published_scores_stay_what_they_were() -> None:
    random = np.random.default_rng(0)
    assert bootstrap(share, random.integers(0, 5, 1000), random.integers(0, 5, 1000)) == (0.175, 0.223)


def test_an_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(10, 2, 400)
    low, high = bootstrap(mean, values)
    error = values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)


def test_rows_of_all_arrays_stay_together() -> None:
    numbers = np.arange(50)
    table = np.stack([numbers, numbers], axis=1)

    def apart(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> float:
        return float(np.abs(first - second).max() + np.abs(third[:, 0] - first).max())

    assert bootstrap(apart, numbers, numbers.copy(), table) == (0.0, 0.0)


def test_another_seed_draws_other_rows() -> None:
    values = np.random.default_rng(2).random(30)
    assert bootstrap(mean, values) == bootstrap(mean, values) != bootstrap(mean, values, seed=18)


def test_resamples_without_a_value_are_left_out() -> None:
    targets = np.array([True, False, False])  # about a third of the resamples have no positive row

    def recall(answers: np.ndarray, targets: np.ndarray) -> float:
        return float(answers[targets].mean()) if targets.any() else math.nan

    assert bootstrap(recall, np.array([True, True, False]), targets) == (1.0, 1.0)


def test_a_statistic_without_any_value_has_no_interval() -> None:
    low, high = bootstrap(lambda values: math.nan, np.arange(3))
    assert math.isnan(low) and math.isnan(high)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"arrays of different numbers of rows: \[3, 2\]"):
        bootstrap(share, np.arange(3), np.arange(2))


def test_ten_thousand_rows_take_no_time() -> None:
    random = np.random.default_rng(3)
    begin = time.process_time()
    bootstrap(share, random.integers(0, 5, 10_000), random.integers(0, 5, 10_000))
    assert time.process_time() - begin < 5  # 0.1 s on an idle core
