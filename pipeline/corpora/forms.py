"""What a row of a source has to hold for each kind of task, and what of it goes into a corpus.

A form reads rows into examples: usually one each, none if the row has no text, several where a row holds several
things to learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from pipeline.corpora import labels, values
from pipeline.corpora.columns import Column, Layouts
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.errors import UserError
from pipeline.fields import Positive, sought


class BadRow(UserError):
    """A row that cannot be learned from as it is; ``task.invalid`` may have it left out."""


@contextmanager
def bad_row() -> Iterator[None]:
    """What is wrong inside is wrong with this row only."""
    try:
        yield
    except UserError as error:
        raise BadRow(*error.problems) from None


def examples(form: Form, row: Row) -> Iterator[Example]:
    """What to learn from a row.

    Raises:
        BadRow: it cannot be learned from.
        UserError: nor can others.
    """
    if row.problem:
        raise BadRow(row.problem)
    yield from form.examples(row)


@dataclass(frozen=True, slots=True)
class Example:
    """``fields`` go into the corpus; ``target`` does when its labels have their numbers.

    ``key`` is the same for equal examples, and empty where there is nothing to learn from; those with one ``group``
    stay in one split; ``values`` are the labels in it, as they are counted and told; ``written`` is how many characters the
    target has, where it is a text to write; ``masked`` are the kinds of what was replaced in it, each as often as it was.
    """

    fields: dict[str, Any]
    key: str
    target: Any = None
    values: tuple[str, ...] = ()
    group: str = ""
    written: int = 0
    masked: tuple[str, ...] = ()


class Form(Protocol):
    """How the rows of a source are read for a task."""

    @property
    def layouts(self) -> Layouts:
        """Which columns to read."""

    @property
    def schema(self) -> Mapping[str, str]:
        """Columns of the corpus with their Arrow types, ``label`` last, if the form has targets."""

    @property
    def typed(self) -> tuple[str, ...]:
        """The fields of a row that has nothing to learn, all of them texts, as people type it."""

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Self:
        """The form for these rows, where how to read one depends on all.

        Args:
            listed: the label names that the source states, in the order of their numbers.
        """

    def examples(self, row: Row) -> Iterator[Example]:
        """What to learn from a row; without its target, if the row has no such field."""

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        """Which number stands for which label, as in :func:`pipeline.corpora.labels.settle`."""

    def number(self, target: Any, settled: Labels) -> Any:
        """A target as the corpus has it."""


def texts(row: Row, columns: Iterable[Column]) -> tuple[dict[str, str], str]:
    """The texts of a row, without white space around them, and the key of them all; no key if one is empty."""
    found = {c.field: values.text(row, c.field).strip() for c in columns if not c.target}
    return found, "\x1f".join(found.values()) if all(found.values()) else ""


def _texts(layouts: Layouts) -> tuple[str, ...]:
    return tuple(column.field for column in layouts[0] if not column.target)


def _schema(layouts: Layouts, target: str) -> dict[str, str]:
    return {**{c.field: "string" for c in layouts[0] if not c.target}, "label": target}


@dataclass(frozen=True)
class Labelled:
    """Texts with one label; or with ``several``, in one cell with ``separator`` between them, or none.  ``positive``, or the
    first of these names that is there, must be one of two, if it is named."""

    layouts: Layouts
    several: bool = False
    separator: str = "|"
    positive: Positive = ""

    @property
    def schema(self) -> Mapping[str, str]:
        return _schema(self.layouts, "list<int32>" if self.several else "int32")

    @property
    def typed(self) -> tuple[str, ...]:
        return _texts(self.layouts)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Labelled:
        return self

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            fields, key = texts(row, self.layouts[0])
            found = self._labels(row)
            if key and "" in found:
                raise UserError(f"{row.where}: no label; fill it in, or set task.invalid=skip")
        yield Example(fields, key, found, found)

    def _labels(self, row: Row) -> tuple[str, ...]:
        if self.several and "labels" in row.fields:
            return tuple(sorted(set(values.labels(row, "labels", self.separator))))
        return (values.plain(values.label(row, "label")),) if "label" in row.fields else ()

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        settled = labels.settle(first, stated, listed, place)
        sought(settled.names, self.positive)
        return settled

    def number(self, target: Any, settled: Labels) -> Any:
        numbers = sorted({settled.number(name) for name in target})
        return numbers if self.several else numbers[0]


@dataclass(frozen=True)
class Measured:
    """Texts with a number."""

    layouts: Layouts

    @property
    def schema(self) -> Mapping[str, str]:
        return _schema(self.layouts, "float32")

    @property
    def typed(self) -> tuple[str, ...]:
        return _texts(self.layouts)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Measured:
        return self

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            fields, key = texts(row, self.layouts[0])
            target = values.number(row, "score") if key and "score" in row.fields else None
        yield Example(fields, key, target)

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        if stated:
            raise UserError(f"corpus.labels={','.join(stated)}: this task learns a number, not labels; leave it out")
        return Labels(["score"], indices=False, told=[])

    def number(self, target: Any, settled: Labels) -> float:
        return float(target)
