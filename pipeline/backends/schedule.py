"""How the learning rate goes over a training."""

from __future__ import annotations


def linear(step: int, steps: int, warmup_ratio: float) -> float:
    """The factor on the learning rate in step ``step`` (from 0) of ``steps``: up to 1 over
    ``warmup_ratio`` of the steps, then down to 0, both in a straight line."""
    warmup = round(steps * warmup_ratio)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / (steps - warmup)
