"""What each head minimizes, as :mod:`pipeline.backends.pytorch.losses` has it: a sum over what a batch has to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.backends.data import NEVER, Criterion
from pipeline.features import IGNORED


@dataclass(frozen=True)
class Loss:
    """``compute`` takes logits, targets, the attention mask and a criterion; ``rank`` and ``dtype`` are those of its
    targets."""

    compute: Callable[[Any, Any, Any, Criterion], Any]
    rank: int
    dtype: str = "int32"


def _labels(logits: Any, targets: Any, mask: Any, criterion: Criterion) -> Any:
    """Cross-entropy (nats) of rows × labels, or of rows × length × tags where tokens have one."""
    import tensorflow as tf

    weights, share = criterion.class_weights, criterion.label_smoothing
    learned = targets != IGNORED
    chances = tf.nn.log_softmax(tf.boolean_mask(logits, learned))
    targets = tf.boolean_mask(targets, learned)
    right = -tf.reduce_sum(tf.gather(weights, targets) * tf.gather(chances, targets, batch_dims=1))
    if not share:
        return right
    spread = -tf.reduce_sum(chances * weights) / len(weights)
    return (1 - share) * right + share * spread


def _several(logits: Any, targets: Any, mask: Any, criterion: Criterion) -> Any:
    """Binary cross-entropy (nats), a mean over labels."""
    import tensorflow as tf

    each = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    return tf.reduce_sum(tf.reduce_mean(each, -1))


def _numbers(logits: Any, targets: Any, mask: Any, criterion: Criterion) -> Any:
    """The squared error; or Huber's loss (1964), twice, so that small errors count the same."""
    import tensorflow as tf

    error, beyond = tf.abs(logits[:, 0] - targets), criterion.huber
    squared = error * error
    return tf.reduce_sum(tf.where(error <= beyond, squared, beyond * (2 * error - beyond)) if beyond else squared)


def _ends(logits: Any, targets: Any, mask: Any, criterion: Criterion) -> Any:
    """Cross-entropy (nats) over the tokens of a row, a mean of first and last token."""
    import tensorflow as tf

    scores = tf.where(mask[..., None] == 0, NEVER, logits)
    chances = tf.nn.log_softmax(tf.transpose(scores, [0, 2, 1]))
    return -tf.reduce_sum(tf.gather(chances, targets, batch_dims=2)) / 2


def _choices(logits: Any, targets: Any, mask: Any, criterion: Criterion) -> Any:
    """Cross-entropy (nats) over the choices of each question."""
    import tensorflow as tf

    question, right = targets[:, 0], tf.cast(targets[:, 1], tf.float32)
    same = question[:, None] == question
    whole = tf.reduce_logsumexp(tf.where(same, logits[:, 0], NEVER), -1)
    return tf.reduce_sum(right * (whole - logits[:, 0]))


def _words(logits: Any, targets: Any, mask: Any, criterion: Criterion) -> Any:
    """Cross-entropy (nats) of rows × length × words, where there is one to learn."""
    import tensorflow as tf

    learned, share = targets != IGNORED, criterion.label_smoothing
    logits, targets = tf.boolean_mask(logits, learned), tf.boolean_mask(targets, learned)
    right = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
    if not share:
        return right
    spread = tf.reduce_sum(tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits, -1))
    return (1 - share) * right + share * spread


def measured(logits: Any, targets: Any) -> Any:
    """How well words are told (float32, rows × 3): the sum of the negative log-likelihood (nats) over those that there are
    to learn, how many these are, and how many fit best.

    Args:
        logits: float32, rows × length × words.
        targets: integers, rows × length, -100 where there is nothing to learn.
    """
    import tensorflow as tf

    learned = targets != IGNORED
    words = tf.where(learned, targets, 0)
    missed = tf.nn.sparse_softmax_cross_entropy_with_logits(words, logits)
    right = tf.argmax(logits, -1, words.dtype) == words
    found = [tf.where(learned, missed, 0), tf.cast(learned, tf.float32), tf.cast(learned & right, tf.float32)]
    return tf.stack([tf.reduce_sum(values, -1) for values in found], -1)


LOSSES = {
    "classification": Loss(_labels, 1),
    "multilabel": Loss(_several, 2, "float32"),
    "regression": Loss(_numbers, 1, "float32"),
    "tagging": Loss(_labels, 2),
    "questions": Loss(_ends, 2),
    "choice": Loss(_choices, 2),
    "causal": Loss(_words, 2),
    "masked": Loss(_words, 2),
    "seq2seq": Loss(_words, 2),
}
