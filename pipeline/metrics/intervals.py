"""How far a score may be off because the test rows are a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1_000


def bootstrap(statistic: Callable[..., float], *arrays: np.ndarray, seed: int = 17) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of ``statistic(*arrays)`` over rows, the first axis of each (Efron 1979).

    Rows of all arrays are drawn together. A resample for which the statistic is undefined, NaN, is left out; if it is
    for all, so is the interval.
    """
    import numpy as np

    random, size = np.random.default_rng(seed), len(arrays[0])
    if any(len(array) != size for array in arrays):
        raise ValueError(f"arrays of different numbers of rows: {[len(array) for array in arrays]}")
    found = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, size, size)
        found.append(statistic(*(array[rows] for array in arrays)))
    defined = np.array(found, dtype=np.float64)
    defined = defined[~np.isnan(defined)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return float(low), float(high)
