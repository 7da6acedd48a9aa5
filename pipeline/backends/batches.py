"""Which rows go into which batch, and how their answers come back in order: the same for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.features import Features, Inputs

if TYPE_CHECKING:
    import numpy as np

POOL = 50  # batches that are grouped by length together: long enough to save padding, short enough to stay random


def shuffled(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of an epoch: rows in random order, then grouped by length within pools of
    :data:`POOL` batches, then batches in random order.  The same arguments give the same batches.
    """
    import numpy as np

    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    pool = POOL * batch_size
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    grouped = np.concatenate([p[np.argsort(-lengths[p], kind="stable")] for p in pools])
    batches = [grouped[start : start + batch_size] for start in range(0, len(grouped), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def by_length(lengths: np.ndarray, batch_size: int, most: int | None = None) -> list[np.ndarray]:
    """All rows in batches of like length, the longest first, so that memory runs out at once or not at all.

    Args:
        most: tokens of a batch, padding included, but for one of a single row.
    """
    import numpy as np

    order = np.argsort(-lengths, kind="stable")
    found, start = [], 0
    while start < len(order):
        rows = batch_size if most is None else min(batch_size, max(1, most // max(1, int(lengths[order[start]]))))
        found.append(order[start : start + rows])
        start += rows
    return found


def answers(
    run: Callable[[Inputs], np.ndarray],
    features: Features,
    batch_size: int,
    outputs: int,
    *,
    tokens: bool,
    advance: Callable[[int], object] = lambda rows: None,
) -> np.ndarray:
    """What ``run`` answers to all rows (float32), in their own order: rows × outputs; or with ``tokens``, all tokens ×
    outputs, padding left out.

    Args:
        run: gives logits, batch × outputs, or batch × length × outputs.
    """
    import numpy as np

    found = np.zeros((features.starts[-1] if tokens else len(features), outputs), np.float32)
    for rows in by_length(features.lengths, batch_size):
        logits = run(features.inputs(rows))
        if tokens:
            found[features.of_tokens(rows)] = unpadded(logits, features.lengths[rows])
        else:
            found[rows] = logits
        advance(len(rows))
    return found


def unpadded(logits: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Of batch × length × outputs, the tokens that are no padding × outputs, row by row."""
    import numpy as np

    there: np.ndarray = logits[np.arange(logits.shape[1]) < lengths[:, None]]
    return there
