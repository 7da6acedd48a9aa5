"""How well a model expects tokens, by hand."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from pipeline.errors import CheckFailed, UserError
from pipeline.metrics.perplexity import LARGEST, MEASURES, scores, unigram


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_tokens() -> None:
    tokens = np.array([3, 7, 1])
    rows = np.stack([tokens * math.log(50), tokens, np.zeros(3)], axis=1)
    found, details = scores(rows.astype(np.float32), tokens * 4)
    assert found == {
        "loss": pytest.approx(math.log(50)),
        "perplexity": pytest.approx(50),
        "bits_per_byte": pytest.approx(math.log2(50) / 4),
        "accuracy": 0.0,
    }
    assert details["intervals"]["perplexity"] == pytest.approx([50, 50])  # whatever rows are drawn


def test_a_token_of_a_long_row_counts_as_much_as_one_of_a_short_row() -> None:
    found, details = scores(np.array([[0.0, 1, 1], [90.0, 9, 2]]), np.array([10, 20]))
    assert found == {
        "loss": 9.0,
        "perplexity": pytest.approx(math.exp(9)),
        "bits_per_byte": pytest.approx(3 / math.log(2)),
        "accuracy": pytest.approx(0.3),
    }
    assert details["intervals"]["loss"] == [
        0.0,
        10.0,
    ]  # a quarter of the draws is one row twice, and a quarter the other
    assert details["intervals"]["accuracy"] == [pytest.approx(2 / 9), 1.0]
    assert list(found) == list(details["intervals"]) == list(MEASURES)


def test_rows_in_which_nothing_is_learned_change_nothing() -> None:
    rows, sizes = np.array([[2.0, 2, 1], [4.0, 3, 1]]), np.array([5, 8])
    more = np.concatenate([rows, np.zeros((3, 3))])
    found, details = scores(more, np.append(sizes, [0, 0, 0]))
    assert found == scores(rows, sizes)[0]
    assert all(math.isfinite(bound) for bounds in details["intervals"].values() for bound in bounds)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("surprise", [1e5, 3e38, math.inf])
def test_what_is_too_large_for_json_is_cut(surprise: float) -> None:
    found, details = scores(np.array([[surprise, 1, 0], [surprise, 1, 0]]), np.array([1, 1]))
    assert found["perplexity"] == details["intervals"]["perplexity"][1] == LARGEST
    assert found["loss"] == min(surprise, LARGEST)
    json.dumps([found, details], allow_nan=False)


def test_likelihoods_that_are_no_numbers_are_told() -> None:
    rows = np.array([[math.nan, 1, 0], [1.0, 1, 0], [math.nan, 2, 0]])
    wanted = "^the model gives the tokens of 2 of 3 rows likelihoods that are no numbers$"
    with pytest.raises(CheckFailed, match=wanted):
        scores(rows, np.array([1, 1, 1]))


@pytest.mark.parametrize("rows, size, told", [([[0.0, 0, 0]], 7, "0 tokens and 7 bytes"), ([[1.0, 2, 0]], 0, "2 tokens and 0 bytes")])  # fmt: skip
def test_nothing_to_measure_is_told(rows: list[list[float]], size: int, told: str) -> None:
    wanted = (
        f"^there is nothing to measure: of 1 rows, {told} are to be predicted; "
        "look for empty texts, and for prompts that leave no room below max_length$"
    )
    with pytest.raises(UserError, match=wanted):
        scores(np.array(rows), np.array([size]))


def test_a_unigram_model_knows_how_often_tokens_were_seen() -> None:
    train = np.array([0, 0, -100, 0, 1], dtype=np.int32)  # plus one: 4, 2, 1 and 1 of 8
    test = np.array([0, -100, 1, 3], dtype=np.int32)  # 1, 2 and 3 bits
    assert unigram(train, test, 4, 3) == {
        "loss": pytest.approx(2 * math.log(2)),
        "perplexity": pytest.approx(4),
        "bits_per_byte": pytest.approx(2),
        "accuracy": pytest.approx(1 / 3),
    }


def test_a_unigram_model_that_saw_nothing_knows_nothing() -> None:
    nothing = np.array([], dtype=np.int64)
    assert unigram(nothing, np.array([4, 5, 9]), 10, 3)["perplexity"] == pytest.approx(10)
    with pytest.raises(UserError, match="nothing to measure"):
        unigram(np.array([1]), nothing, 10, 0)


def test_ids_beyond_the_vocabulary_are_refused() -> None:
    for train, test in (([10], [1]), ([1], [10])):
        with pytest.raises(ValueError, match="an id beyond the 10 of the vocabulary"):
            unigram(np.array(train), np.array(test), 10, 1)


def test_ten_thousand_rows_take_a_second() -> None:
    random = np.random.default_rng(1)
    tokens = random.integers(1, 50, 10_000)
    rows = np.stack([tokens * random.random(10_000), tokens, tokens // 2], axis=1)
    begin = time.process_time()
    scores(rows, tokens * 3)
    assert time.process_time() - begin < 10  # 1.2 s on an idle core
