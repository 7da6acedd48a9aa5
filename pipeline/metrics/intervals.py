"""How far a score may be off because the test rows are a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1_000


def bootstrap(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    answers: np.ndarray,
    targets: np.ndarray,
    *,
    seed: int = 17,
) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of ``statistic(answers, targets)`` over rows (Efron 1979)."""
    import numpy as np

    random = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(targets), len(targets))
        found.append(statistic(answers[rows], targets[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
