"""Functions that have the names of some in settings.py."""

from __future__ import annotations


def plus(number: int) -> int:
    return number + 1_000
