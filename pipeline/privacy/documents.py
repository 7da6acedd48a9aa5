"""The texts in JSON, with where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

KEY = "a key"  # what a name in JSON is called, where it is what was found


def texts(content: str | bytes) -> Iterator[tuple[str, str]]:
    """Where it is and what it says, of every text and every name in a document; numbers are nobody's.

    Raises:
        ValueError: this is no JSON.
    """
    # Objects as pairs: of a name that stands there twice a dictionary keeps the last value alone, the file both.
    return _texts(json.loads(content, object_pairs_hook=tuple), "")


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, tuple):
        for name, each in value:
            yield f"{path} ({KEY})" if path else KEY, name
            yield from _texts(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, f"{path}[{number}]")
