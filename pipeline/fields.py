"""Small helpers for settings, importable by stages without tying them to the engine."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pipeline.errors import UserError

Invalid = Literal["refuse", "skip"]  # what a task does with rows that cannot be learned from


def neutral(default: Any) -> Any:
    """A setting that cannot change a result, such as a worker count: no part of a fingerprint."""
    return dataclasses.field(default=default, metadata={"neutral": True})


def require(fine: bool, otherwise: str) -> None:
    """Refuse a value; for ``__post_init__``.  Raises :class:`UserError` with ``otherwise``."""
    if not fine:
        raise UserError(otherwise)
