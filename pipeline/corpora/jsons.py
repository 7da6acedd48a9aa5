"""JSON and numbers as others write them, also beyond what Python reads."""

from __future__ import annotations

import json
import sys
from typing import Any


class Beyond(ValueError):
    """JSON that is right, but cannot be read: says why."""


def loads(text: str) -> Any:
    """What ``text`` says.

    Raises:
        json.JSONDecodeError: it is not JSON.
        Beyond: it is nested too deeply, or a number in it is too long.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise Beyond("lists or objects within one another, hundreds deep; is a bracket repeated?") from None
    except ValueError:
        raise Beyond(
            f"a whole number of more than {sys.get_int_max_str_digits():,} digits; write it in double quotes, as text"
        ) from None


def place(written: str) -> int | None:
    """The number that digits say; None if they are none, or more than any place or label number has."""
    if not (written.isascii() and written.isdigit()) or len(written.lstrip("0")) > 18:
        return None
    return int(written.lstrip("0") or "0")
