"""How well a model expects the tokens that come."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from pipeline.errors import CheckFailed, UserError
from pipeline.metrics.intervals import bootstrap

LARGEST = 1e300
"""What stands for any larger number, and for infinity, which JSON does not have."""

MEASURES = ("loss", "perplexity", "bits_per_byte", "accuracy")


def scores(rows: np.ndarray, sizes: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """``MEASURES`` of all rows: ``loss`` (nats a token), its exponential ``perplexity``, ``bits_per_byte``, by which models
    can be compared whose tokenizers differ, and ``accuracy`` of the likeliest token. Sums are divided by
    sums, so that a token of a long row counts as much as one of a short row.

    Details: 95% bootstrap intervals over rows.

    Args:
        rows: rows × (negative log-likelihood in nats, learned tokens, those of them that are the likeliest), sums of a row.
        sizes: bytes of what is learned of the text, in UTF-8, one a row.

    Raises:
        UserError: nothing is learned in any row.
        CheckFailed: a likelihood is not a number.
    """
    counts = np.column_stack([np.asarray(each, dtype=np.float64) for each in (rows, sizes)])
    intervals = {name: list(bootstrap(partial(_measure, name), counts)) for name in MEASURES}
    return _all(counts), {"intervals": intervals}


def unigram(train: np.ndarray, test: np.ndarray, vocabulary: int, size: int) -> dict[str, float]:
    """``MEASURES`` of a model that knows only how often each token was learned in training, plus one (Laplace), and
    always finds the commonest the likeliest.

    Args:
        train: ids of the tokens learned in training, in one row; -100 is left out, here and in ``test``.
        test: those of the split that is measured.
        vocabulary: how many ids there are.
        size: bytes of what is learned of the text in ``test``, in UTF-8.

    Raises:
        UserError: nothing is learned in ``test``.
    """
    seen, asked = (ids[ids >= 0] for ids in (train, test))
    if max(seen.max(initial=0), asked.max(initial=0)) >= vocabulary:
        raise ValueError(f"an id beyond the {vocabulary} of the vocabulary")
    counts = np.bincount(seen, minlength=vocabulary) + 1
    surprise = np.log(counts.sum()) - np.log(counts)
    return _all(np.array([[surprise[asked].sum(), len(asked), (asked == counts.argmax()).sum(), size]]))


def _all(counts: np.ndarray) -> dict[str, float]:
    _, tokens, _, size = counts.sum(0)
    if tokens == 0 or size == 0:
        raise UserError(
            f"there is nothing to measure: of {len(counts):,} rows, {tokens:,.0f} tokens and {size:,.0f} bytes are to be "
            "predicted; look for empty texts, and for prompts that leave no room below max_length"
        )
    if lost := int(np.isnan(counts).any(1).sum()):
        raise CheckFailed(
            f"the model gives the tokens of {lost:,} of {len(counts):,} rows likelihoods that are no numbers"
        )
    return {name: _measure(name, counts) for name in MEASURES}


def _measure(name: str, counts: np.ndarray) -> float:
    """NaN for rows in which nothing is learned, as the bootstrap may draw them."""
    surprise, tokens, right, size = map(float, counts.sum(0))
    if tokens == 0 or size == 0:
        return math.nan
    match name:
        case "accuracy":
            return right / tokens
        case "bits_per_byte":
            return min(surprise / math.log(2) / size, LARGEST)
        case "perplexity":
            return min(math.exp(min(surprise / tokens, 700.0)), LARGEST)
        case _:
            return min(surprise / tokens, LARGEST)
