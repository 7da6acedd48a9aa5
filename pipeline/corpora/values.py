"""What a cell of a row must hold, each kind with its own error."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from pipeline.corpora import jsons
from pipeline.corpora.rows import Row, kind
from pipeline.errors import UserError

LIST = re.compile(r"""\s*\[[^\]]*['",][^\]]*\]\s*""")  # a cell with what somebody takes for a list


def text(row: Row, field: str) -> str:
    """A text; nothing is the empty one."""
    value = row.fields[field]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _unfit(row, field, "not text")
    return whole(row, field, value)


def label(row: Row, field: str) -> Any:
    """One label as it is written: text, number or nothing."""
    value = row.fields[field]
    if isinstance(value, str):
        return whole(row, field, value)
    if value is None or isinstance(value, int | float):
        return value
    raise _unfit(row, field, "not one label")


def labels(row: Row, field: str, separator: str) -> list[str]:
    """Several labels, or none: a list, or in one cell with ``separator`` between."""
    value = row.fields[field]
    if isinstance(value, str):
        found = listed(value)
        if found is None and LIST.fullmatch(value):
            raise UserError(
                f"{row.where}: column {row.names.get(field, field)!r} holds {value!r:.40}, a list that is not JSON; write "
                f'it as ["a", "b"], or as a{separator}b'
            )
        value = value.split(separator) if found is None else found
    if value is None:
        value = []
    if isinstance(value, int | float):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
        raise _unfit(row, field, "not a list of labels")
    if len(set(value)) < len(value) and not any(isinstance(one, str) for one in value) and set(value) <= {0, 1}:
        raise UserError(
            f"{row.where}: column {row.names.get(field, field)!r} holds {value!r:.40}, which says 0 or 1 of every label; "
            "write which labels there are, by their names or numbers"
        )
    return [whole(row, field, name) for name in map(plain, value) if name]


def number(row: Row, field: str) -> float:
    """A finite number."""
    value = row.fields[field]
    if not plain(value):
        raise UserError(f"{row.where}: no number; fill it in, or set task.invalid=skip")
    try:
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):  # JSON has numbers of any size
        found = math.nan
    if not math.isfinite(found):
        large = isinstance(value, int | float) and not isinstance(value, bool)
        raise _unfit(row, field, "too large to be learned" if large else "not a number")
    return found


def items(row: Row, field: str) -> list[Any]:
    """A list, also one that is written as JSON in a cell."""
    value = row.fields[field]
    if isinstance(value, str):
        value = listed(value)
    if not isinstance(value, list):
        raise _unfit(row, field, "not a list")
    return value


def texts(row: Row, field: str) -> list[str]:
    """A list of texts."""
    found = items(row, field)
    if not all(isinstance(one, str) for one in found):
        raise _unfit(row, field, "not a list of texts")
    return [whole(row, field, one) for one in found]


def plain(value: Any) -> str:
    """A label as text: ``1``, ``1.0`` and ``"1"`` are one label, ``True`` is ``true``, nothing and NaN are ``""``."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def named(value: Any, names: Sequence[str], where: str) -> str:
    """A label that may be written as its number, where ``names`` say which that is."""
    written = plain(value)
    if written in names or not (written.isascii() and written.isdigit()):
        return written
    if not names:
        raise UserError(
            f"{where}: label {written:.40} is a number, and nothing says of what; put labels.json beside the data, "
            'a list of the names in the order of their numbers such as ["O", "B-PER", "I-PER"]'
        )
    number = jsons.place(written)
    if number is None or number >= len(names):
        raise UserError(
            f"{where}: label {written:.40} is beyond the {len(names)} names in labels.json; correct one of them"
        )
    return names[number]


def whole(row: Row, field: str, text: str) -> str:
    """The text, if it has no half characters, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{row.where}: column {row.names[field]!r} holds half a character ({text!r:.40}); correct it"
        ) from None
    return text


def listed(value: str) -> list[Any] | None:
    """The list that a cell holds as JSON, if it does."""
    if not value.lstrip().startswith("["):
        return None
    try:
        found = jsons.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _unfit(row: Row, field: str, what: str) -> UserError:
    value = row.fields[field]
    name = row.names.get(field, field)  # folders of texts have no names
    return UserError(
        f"{row.where}: column {name!r} holds {kind(value)} ({value!r:.40}), {what}; "
        f"name the column of the {field} with task.{field}=NAME"
    )
