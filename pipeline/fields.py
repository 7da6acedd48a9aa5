"""Small helpers for settings, importable by stages without tying them to the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from pipeline.errors import UserError

Invalid = Literal["refuse", "skip"]  # what a task does with rows that cannot be learned from
Positive = str | tuple[str, ...]  # of two labels the one to find: its name, or several that it may have


def neutral(default: Any) -> Any:
    """A setting that cannot change a result, such as a worker count: no part of a fingerprint."""
    return dataclasses.field(default=default, metadata={"neutral": True})


def require(fine: bool, otherwise: str) -> None:
    """Refuse a value; for ``__post_init__``.  Raises :class:`UserError` with ``otherwise``."""
    if not fine:
        raise UserError(otherwise)


def sought(names: Sequence[str], positive: Positive) -> str:
    """Of two labels, the one to find: the first of ``positive`` that is there; empty, if none is asked for.

    Raises:
        UserError: none of them is there, or there are more than two labels.
    """
    asked = positive
    if isinstance(positive, str):  # a name may have commas; else they stand between several, as settings are typed
        asked = (positive,) if positive in names else tuple(filter(None, map(str.strip, positive.split(","))))
    found = [name for name in asked if name in names]
    if asked and not found:
        raise UserError(
            f"task.positive={' or '.join(asked)}: no such label; there are {', '.join(names)}: "
            "name the one to find with task.positive=NAME, or none with task.positive="
        )
    if found and len(names) != 2:
        raise UserError(
            f"task.positive={found[0]}: there are {len(names)} labels; it is for two: leave it empty with task.positive="
        )
    return found[0] if found else ""
