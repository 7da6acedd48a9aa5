"""Which commit a branch name stood for when it was first asked: found once, kept until newer is wanted.

A settings class that can name something that moves, such as a Hub repository without a
commit, has a method ``pinned(known) -> Self``: it fills the commit in from the mapping
``known``, or asks the Hub and adds it there.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import TypeVar

from pipeline import durable

T = TypeVar("T")


def pin(config: T, file: Path, *, newer: bool = False) -> T:
    """``config`` with every moving name replaced by a commit; those found are kept in ``file``.

    ``newer`` asks again for names that were found before.
    """
    before = _load(file)
    known = {} if newer else dict(before)
    config = _pinned(config, known)
    if {**before, **known} != before:
        durable.write(file, json.dumps({**before, **known}, indent=1, sort_keys=True), flush=True)
    return config


def _pinned(value: T, known: MutableMapping[str, str]) -> T:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    if hasattr(value, "pinned"):
        pinned: T = value.pinned(known)
        return pinned
    parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    changed = {name: new for name, part in parts.items() if (new := _pinned(part, known)) is not part}
    return dataclasses.replace(value, **changed) if changed else value


def _load(file: Path) -> dict[str, str]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}
