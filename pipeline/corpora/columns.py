"""Which columns of a table to read, and what to say when they are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline.errors import UserError


@dataclass(frozen=True)
class Column:
    """A column of a source.  ``field`` is what the task calls it, so that ``task.FIELD=NAME`` names another;
    ``others`` are names as good as ``name``, in the order of preference; ``target`` is what is to be learned; an ``optional``
    one may be absent; where a ``sparse`` one is absent in a record of JSON, but not in all of its file, the record holds none."""

    field: str
    name: str
    others: tuple[str, ...] = ()
    target: bool = False
    optional: bool = False
    sparse: bool = False

    def among(self, names: Sequence[str]) -> str:
        """The name that a table has it under; "" if none."""
        return next((name for name in (self.name, *self.others) if name in names), "")


class Lacking(UserError):
    """Columns are not there."""


Layout = tuple[Column, ...]  # the columns that make a row
Layouts = tuple[Layout, ...]  # ways in which a source may hold the same, the usual first


def column(
    field: str, name: str, *others: str, target: bool = False, optional: bool = False, sparse: bool = False
) -> Column:
    """The column that a setting names.  Other names count only while it has its default, which is ``field``."""
    return Column(field, name, others if name == field else (), target, optional, sparse)


def needed(layout: Layout) -> Layout:
    """Those without which a table has not this layout."""
    return tuple(column for column in layout if not column.optional)


def alone(layouts: Layouts) -> str:
    """The field of the text that is all there is to a row, where no more is needed to learn; "" if more is."""
    single = (layout[0] for layout in layouts if len(layout) == 1)
    return next((column.field for column in single if column.target or len(layouts) == 1), "")


def unlabelled(layouts: Layouts) -> Layouts:
    """What there is to read when nothing is to be learned, only answered."""
    bare = (tuple(column for column in layout if not column.target) for layout in layouts)
    return tuple(dict.fromkeys(layout for layout in bare if layout))


def found(names: Sequence[str], layouts: Layouts, where: str | Path) -> list[tuple[Column, str]]:
    """The columns of the first layout that is there whole, each with its name in the table.

    Raises:
        Lacking: none is.
        UserError: a column is there twice.
    """
    if not any(names):
        wanted = ",".join(column.name for column in needed(layouts[0]))
        raise Lacking(f"{where}: empty; the first line must name the columns, such as {wanted}")
    best = max(layouts, key=lambda layout: _share(needed(layout), names))
    if problems := [_lacking(column, names, where) for column in needed(best) if not column.among(names)]:
        raise Lacking(*problems)
    chosen = [column for column in best if column.among(names)]
    for column in chosen:
        many = [repr(name) for name in column.others if name in names] if column.name not in names else []
        if len(many) > 1:
            raise UserError(
                f"{where}: {' and '.join(many)} could all be the {column.field}; say which with task.{column.field}=NAME"
            )
    columns = [(column, column.among(names)) for column in chosen]
    if twice := [name for _, name in columns if list(names).count(name) > 1]:
        raise UserError(f"{where}: two columns are called {twice[0]!r}; rename one")
    return columns


def of_record(
    record: Mapping[str, Any], layouts: Layouts, where: str, known: Callable[[], Iterable[str]]
) -> list[tuple[Column, str]]:
    """The columns of a record of JSON, each with its name, as :func:`found`; sparse ones may be absent.

    Args:
        known: names in any record of the file; asked for only if a column is absent.
    """
    layouts = _readable(record, layouts)
    try:
        return found(list(record), layouts, where)
    except UserError as error:
        sparse = [column for layout in layouts for column in layout if column.sparse]
        absent = [name for name in known() if name not in record and any(c.among([name]) for c in sparse)]
        try:
            columns = found([*record, *absent], layouts, where)
        except UserError:
            raise error from None
        if any(name in absent and not column.sparse for column, name in columns):
            raise
        return columns


def _readable(record: Mapping[str, Any], layouts: Layouts) -> Layouts:
    """Those whose words, if the record has them, are texts; all, if there is no other text in it.

    Annotators and taggers put tokens as objects, or none, beside the text that is to be read.
    """
    unread = [layout for layout in layouts if any(_no_words(record, column) for column in layout)]
    if not unread:
        return layouts
    bare = not any(column.target for layout in layouts for column in layout)
    rest = tuple(each for each in layouts if each not in unread and (bare or any(column.target for column in each)))
    if any(_whole(layout, record) for layout in rest):
        return rest
    text = any(column.among(list(record)) for layout in rest for column in layout if not column.target)
    return rest if text and not any(_whole(layout, record) for layout in unread) else layouts


def _no_words(record: Mapping[str, Any], column: Column) -> bool:
    name = column.among(list(record)) if column.field == "words" else ""
    value = record[name] if name else ""
    return isinstance(value, list) and not (value and all(isinstance(word, str) for word in value))


def _whole(layout: Layout, record: Mapping[str, Any]) -> bool:
    return all(column.among(list(record)) for column in needed(layout))


def _share(layout: Layout, names: Sequence[str]) -> float:
    """How much of a layout is there."""
    return sum(bool(column.among(names)) for column in layout) / len(layout)


def _lacking(column: Column, names: Sequence[str], where: str | Path) -> str:
    """What to say when a column is not there."""
    close = get_close_matches(column.name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return (
        f"{where}: no column {column.name!r}; {hint}there are {', '.join(map(repr, names))}: "
        f"say which with task.{column.field}=NAME"
    )
