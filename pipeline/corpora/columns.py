"""Which columns of a table to read, and what to say when they are not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pipeline.errors import UserError


@dataclass(frozen=True)
class Columns:
    """Which columns to read: that of the text, and that of what to learn."""

    text: str
    label: str

    @property
    def names(self) -> tuple[str, str]:
        return self.text, self.label


def positions(names: list[str], columns: Columns, file: Path) -> list[int]:
    """Where the text and the label stand among a table's columns.

    Raises:
        UserError: one is not there, or there twice.
    """
    if not any(names):
        raise UserError(f"{file}: empty; the first line must name the columns, such as text,label")
    if problems := [problem for name in columns.names if (problem := lacking(name, names, file, columns))]:
        raise UserError(*problems)
    if twice := [name for name in columns.names if names.count(name) > 1]:
        raise UserError(f"{file}: two columns are called {twice[0]!r}; rename one")
    return [names.index(name) for name in columns.names]


def lacking(name: str, names: Sequence[str], file: Path, columns: Columns) -> str:
    """What to say when a column is not there."""
    if name in names:
        return ""
    close = get_close_matches(name, names, n=1)
    setting = "task.text" if name == columns.text else "task.label"
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{file}: no column {name!r}; {hint}there are {', '.join(map(repr, names))}: say which with {setting}=NAME"
