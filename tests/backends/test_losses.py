"""What each head minimizes, against plain sums, and in one backend against the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.backends.data import IGNORED, Criterion
from pipeline.backends.heads import HEADS

pytestmark = pytest.mark.slow
DRAW = np.random.default_rng(5)
WEIGHTS = np.array([0.5, 2.0, 1.25], np.float32)
PLAIN = Criterion(np.ones(3, np.float32))
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
LOGITS = DRAW.normal(0, 2, (3, 3)).astype(np.float32)
EACH = DRAW.normal(0, 2, (3, 4, 3)).astype(np.float32)
LABELS = np.array([2, 0, 1])
TAGS = np.array([[IGNORED, 2, 1, IGNORED], [0, IGNORED, IGNORED, IGNORED], [1, 1, 2, IGNORED]])
HOT = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], np.float32)
NUMBERS = np.array([0.1, -3.0, 2.5], np.float32)
ENDS = np.array([[1, 3], [0, 0], [2, 2]])
CHOICES = np.array([[0, 0], [0, 1], [1, 1], [1, 0], [1, 0], [2, 1]])
FIT = DRAW.normal(0, 2, (6, 1)).astype(np.float32)


def cross_entropy(logits: np.ndarray, label: int, weights: np.ndarray, smoothing: float) -> float:
    """Of one row; Szegedy et al. 2016 for the smoothing."""
    chances = logits - np.log(np.exp(logits.astype(np.float64)).sum())
    right, spread = -weights[label] * chances[label], -(weights * chances).sum() / len(weights)
    return float((1 - smoothing) * right + smoothing * spread)


def over(logits: np.ndarray, labels: np.ndarray, criterion: Criterion) -> float:
    return sum(
        cross_entropy(row, label, criterion.class_weights, criterion.label_smoothing)
        for row, label in zip(logits.reshape(-1, 3), labels.ravel(), strict=True)
        if label != IGNORED
    )


def binary() -> float:
    shares = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    return float(-np.log(np.where(HOT == 1, shares, 1 - shares)).mean(-1).sum())


def huber(delta: float) -> float:
    found = 0.0
    for error in np.abs(FIT[:3, 0] - NUMBERS).tolist():
        found += error**2 if error <= delta else 2 * delta * (error - delta / 2)
    return found


def ends() -> float:
    found = 0.0
    for row, mask, places in zip(EACH[..., :2], MASK, ENDS, strict=True):
        for which, place in enumerate(places):
            scores = row[mask == 1, which].astype(np.float64)
            found += np.log(np.exp(scores).sum()) - scores[place]
    return float(found) / 2


def choices() -> float:
    found = 0.0
    for question in range(3):
        scores = FIT[CHOICES[:, 0] == question, 0].astype(np.float64)
        (right,) = FIT[(CHOICES[:, 0] == question) & (CHOICES[:, 1] == 1), 0]
        found += np.log(np.exp(scores).sum()) - right
    return float(found)


BOTH = Criterion(WEIGHTS, 0.2)
CASES: dict[str, tuple[str, np.ndarray, np.ndarray, Criterion, float]] = {
    "classification": ("classification", LOGITS, LABELS, PLAIN, over(LOGITS, LABELS, PLAIN)),
    "weighted": ("classification", LOGITS, LABELS, Criterion(WEIGHTS), over(LOGITS, LABELS, Criterion(WEIGHTS))),
    "smoothed": ("classification", LOGITS, LABELS, BOTH, over(LOGITS, LABELS, BOTH)),
    "tagging": ("tagging", EACH, TAGS, PLAIN, over(EACH, TAGS, PLAIN)),
    "tagging, weighted and smoothed": ("tagging", EACH, TAGS, BOTH, over(EACH, TAGS, BOTH)),
    "multilabel": ("multilabel", LOGITS, HOT, PLAIN, binary()),
    "regression": ("regression", FIT[:3], NUMBERS, PLAIN, float(((FIT[:3, 0] - NUMBERS) ** 2).sum())),
    "huber": ("regression", FIT[:3], NUMBERS, Criterion(WEIGHTS, huber=1.0), huber(1.0)),
    "wide huber": ("regression", FIT[:3], NUMBERS, Criterion(WEIGHTS, huber=2.5), huber(2.5)),
    "questions": ("questions", EACH[..., :2], ENDS, PLAIN, ends()),
    "choice": ("choice", FIT, CHOICES, PLAIN, choices()),
}


def by_pytorch(head: str, logits: np.ndarray, targets: np.ndarray, criterion: Criterion) -> tuple[float, np.ndarray]:
    import torch

    from pipeline.backends.pytorch.losses import LOSSES

    at = torch.tensor(logits, requires_grad=True)
    weighing = Criterion(torch.tensor(criterion.class_weights), criterion.label_smoothing, criterion.huber)
    loss = LOSSES[head](at, torch.tensor(targets), torch.tensor(MASK), weighing)
    loss.backward()
    assert at.grad is not None
    return float(loss.detach()), at.grad.numpy()


def by_tensorflow(head: str, logits: np.ndarray, targets: np.ndarray, criterion: Criterion) -> tuple[float, np.ndarray]:
    from pipeline.backends.tensorflow import framework
    from pipeline.backends.tensorflow.losses import LOSSES

    tf, loss = framework.tensorflow(), LOSSES[head]
    assert targets.ndim == loss.rank
    at = tf.Variable(logits)
    with tf.GradientTape() as tape:
        found = loss.compute(at, tf.constant(targets.astype(loss.dtype)), tf.constant(MASK), criterion)
    return float(found), tf.convert_to_tensor(tape.gradient(found, at)).numpy()


@pytest.mark.parametrize("backend", [by_pytorch, by_tensorflow])
@pytest.mark.parametrize("case", CASES)
def test_a_loss_is_the_plain_sum(case: str, backend: Callable[..., Any]) -> None:
    head, logits, targets, criterion, wanted = CASES[case]
    assert backend(head, logits, targets, criterion)[0] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_loss_has_the_same_gradient_in_both_backends(case: str) -> None:
    head, logits, targets, criterion, _ = CASES[case]
    ours, theirs = (by(head, logits, targets, criterion)[1] for by in (by_pytorch, by_tensorflow))
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.abs(ours).max() > 0.1


@pytest.mark.parametrize("backend", [by_pytorch, by_tensorflow])
def test_what_is_padding_moves_no_answer(backend: Callable[..., Any]) -> None:
    changed = np.where(MASK[..., None] == 1, EACH[..., :2], 50).astype(np.float32)
    loss, gradient = backend("questions", changed, ENDS, PLAIN)
    assert loss == pytest.approx(ends(), rel=1e-5)
    assert not gradient[MASK == 0].any()


@pytest.mark.parametrize("backend", [by_pytorch, by_tensorflow])
def test_a_batch_in_which_no_tag_is_learned_costs_nothing(backend: Callable[..., Any]) -> None:
    loss, gradient = backend("tagging", EACH, np.full_like(TAGS, IGNORED), BOTH)
    assert loss == 0 and not gradient.any()


def test_every_head_has_a_loss() -> None:
    from pipeline.backends.pytorch import losses as pytorch
    from pipeline.backends.tensorflow import losses as tensorflow

    assert pytorch.LOSSES.keys() == tensorflow.LOSSES.keys() == HEADS.keys()
