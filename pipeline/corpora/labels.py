"""Which number stands for which label: said once, stored, never guessed twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.corpora.rows import Row
from pipeline.errors import UserError


class Labels:
    """Label names in index order, and how the values in the files stand for them."""

    def __init__(self, names: Sequence[str], *, indices: bool) -> None:
        self.names = list(names)
        self.indices = indices  # the files hold the numbers, not the names
        self._numbers = {str(i) if indices else name: i for i, name in enumerate(names)}

    def number(self, row: Row) -> int:
        """The index of a row's label.

        Raises:
            UserError: there is none, or it is not among the names.
        """
        value = plain(row.label)
        if value == "":
            raise UserError(f"{row.where}: no label; fill it in, or take the row out")
        try:
            return self._numbers[value]
        except KeyError:
            raise UserError(
                f"{row.where}: label {value!r} is not one of {', '.join(self._numbers)}"
                f"{f' (the numbers of {_list(self.names)})' if self.indices else ''}; "
                "correct it, or name all labels with corpus.labels=A,B"
            ) from None


def plain(value: Any) -> str:
    """A label as text: ``1``, ``1.0`` and ``"1"`` are one label, ``True`` is ``true``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def settle(values: Iterable[str], stated: Sequence[str], listed: Sequence[str], place: str = "") -> Labels:
    """The label map of a source whose files hold ``values``.

    ``stated`` comes from the recipe or the command line, ``listed`` from the source itself, ``place``
    in it.  With neither, the names are the values, in order.

    Raises:
        UserError: the two disagree, or the values could be read as names and as numbers.
    """
    seen = sorted(set(values) - {""}, key=_order)
    if stated and listed and list(stated) != list(listed):
        raise UserError(
            f"corpus.labels={','.join(stated)} differs from {place}, which says {','.join(listed)}; "
            "their order is the labels' numbers: make them equal, or take one away"
        )
    names = list(stated or listed) or seen
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise UserError(f"label {twice[0]!r} is named twice in {place or 'corpus.labels'}")
    if len(names) < 2:
        raise UserError(
            f"only one label ({_list(names) or 'none'}) in the data: there is nothing to learn; add rows of another"
        )
    unnamed = [value for value in seen if value not in names]
    numbers = unnamed and all(value.isdigit() and int(value) < len(names) for value in seen)
    if unnamed and not numbers and any(value in names for value in seen) and any(v.isdigit() for v in unnamed):
        raise UserError(
            f"labels are partly names and partly numbers ({_list(seen)}): write all as names of {_list(names)}, or all as numbers"
        )
    return Labels(names, indices=bool(numbers))


def listed(file: Path | None) -> list[str]:
    """The names in a ``labels.json``: a list in the order of their numbers, or an object of names and numbers."""
    if file is None:
        return []
    try:
        names = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not JSON: {error}") from None
    if isinstance(names, dict):  # {"0": "negative"} or {"negative": 0}
        pairs = sorted((int(k), v) if plain(k).isdigit() else (int(v), k) for k, v in names.items())
        names = [name for _, name in pairs]
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UserError(
            f'{file}: expected a list of label names in the order of their numbers, such as ["negative", "positive"]'
        )
    return names


def _order(value: str) -> tuple[int, int, str]:
    """Numbers by size, then names by letters."""
    return (0, int(value), "") if value.lstrip("-").isdigit() else (1, 0, value)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
