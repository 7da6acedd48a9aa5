"""Which number stands for which label: said once, stored, never guessed twice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.corpora import jsons
from pipeline.corpora.values import plain
from pipeline.errors import UserError

NUMBER = re.compile(r"-?[0-9]{1,4000}")  # Python reads no number that is much longer
DECIMAL = re.compile(r"(-?[0-9]{1,4000})\.0+")  # a whole number, as pandas writes it beside a cell without one
TRUTH = ("true", "false")


class Labels:
    """Label names in index order, how the values in the files stand for them, and which are worth telling people."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        indices: bool,
        told: Sequence[str] | None = None,
        alike: Mapping[str, str] | None = None,
    ) -> None:
        self.names = list(names)
        self.told = self.names if told is None else list(told)
        self.indices = indices  # the files hold the numbers, not the names
        self._numbers = {str(i) if indices else name: i for i, name in enumerate(names)}
        self._alike = dict(alike or {})  # other ways to write a label

    def number(self, value: str, where: str = "") -> int:
        """The index of a label as it is written in the row at ``where``.

        Raises:
            UserError: there is none, or it is not among the names.
        """
        if value == "":
            raise UserError(f"{where}: no label; fill it in, or take the row out")
        try:
            return self._numbers[self._alike.get(value, value)]
        except KeyError:
            meaning = f" (the numbers of {_list(self.names)})" if self.indices else ""
            raise UserError(
                f"{where}: label {value!r} is not one of {_list(list(self._numbers))}{meaning}; "
                "correct it, or name all labels with corpus.labels=A,B"
            ) from None


def settle(first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
    """The label map of a source.

    Args:
        first: each label as it is written in the files, and where it first is.
        stated: names by the recipe or the command line.
        listed: names by the source itself.
        place: where the source lists them, or what to call it.

    Raises:
        UserError: stated and listed names disagree, or the values could be read as names and as numbers.
    """
    alike = _alike(set(first) - {""}, stated or listed)
    first = {**{alike[value]: where for value, where in first.items() if value in alike}, **first}
    seen = sorted(set(first) - {""} - set(alike), key=_order)
    if stated and listed and list(stated) != list(listed):
        raise UserError(
            f"corpus.labels={','.join(stated)} differs from {place}, which says {','.join(listed)}; "
            "their order is the labels' numbers: make them equal, or take one away"
        )
    names = list(stated or listed) or seen
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise UserError(f"label {twice[0]!r} is named twice in {'corpus.labels' if stated else place}")
    if len(names) < 2:
        raise UserError(
            f"{place}: only one label ({_list(names) or 'none'}), so there is nothing to learn; add rows of another"
        )
    unnamed = [value for value in seen if value not in names]
    indices = bool(unnamed) and all(value.isascii() and value.isdigit() for value in seen)
    known = [value for value in seen if value in names]
    if known and any(NUMBER.fullmatch(value) for value in unnamed):
        raise UserError(
            f"{first[unnamed[0]]}: label {unnamed[0]!r} is a number, {known[0]!r} ({first[known[0]]}) a name: "
            f"labels are partly names and partly numbers ({_list(seen)}); write all as names of {_list(names)}, or all as numbers"
        )
    return Labels(names, indices=indices, alike=alike)


def _alike(seen: set[str], names: Sequence[str]) -> dict[str, str]:
    """What each label that is written otherwise than its name stands for: where all are whole numbers, ``1.0`` for ``1``;
    where all are true or false, ``True`` for ``true``.  Others are texts, such as the versions ``1.0`` and ``1.10``."""
    usual = _usual(seen)
    named = {written: name for name, written in _usual(names).items()}
    told = {value: named.get(written, written) for value, written in usual.items() if value not in names}
    return {value: name for value, name in told.items() if value != name}


def _usual(values: Collection[str]) -> dict[str, str]:
    """Each value as :func:`plain` would write it, if all are whole numbers or all are true or false; else none."""
    if all(value.lower() in TRUTH for value in values):
        return {value: value.lower() for value in values}
    if all(NUMBER.fullmatch(value) or DECIMAL.fullmatch(value) for value in values):
        return {value: DECIMAL.sub(r"\1", value) for value in values}
    return {}


def listed(file: Path | None) -> list[str]:
    """The names in a ``labels.json``: a list in the order of their numbers, or an object of names and numbers."""
    if file is None:
        return []
    try:
        names = jsons.loads(file.read_text(encoding="utf-8-sig"))
    except jsons.Beyond as error:
        raise UserError(f"{file}: {error}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON: {error}") from None
    if isinstance(names, dict):
        names = _by_number(names)
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UserError(
            f"{file}: expected a list of label names in the order of their numbers, such as "
            '["negative", "positive"], or an object with the numbers 0, 1, …'
        )
    return names


def _by_number(names: Mapping[str, Any]) -> list[Any]:
    """``{"0": "negative"}`` or ``{"negative": 0}`` as a list; an empty name where the numbers are not 0, 1, …"""
    turned = {plain(k): v for k, v in names.items()}
    if not all(NUMBER.fullmatch(k) for k in turned):
        turned = {plain(v): k for k, v in names.items()}
    if len(turned) < len(names):
        return [""]
    return [turned.get(str(i), "") for i in range(len(turned))]


def _order(value: str) -> tuple[int, int, str]:
    """Numbers by size, then names by letters."""
    return (0, int(value), value) if NUMBER.fullmatch(value) else (1, 0, value)


def _list(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "")
