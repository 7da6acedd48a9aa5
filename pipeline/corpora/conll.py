"""Sentences out of the files of the CoNLL shared tasks: a word a line, with its tags in columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.corpora.columns import Column
from pipeline.errors import UserError

BOUNDARY = "-DOCSTART-"
# The columns of CoNLL-U, https://universaldependencies.org/format.html, and of CoNLL-2003, as Hub datasets call them.
CONLL_U = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
CONLL_2003 = ("words", "pos_tags", "chunk_tags", "ner_tags")
UNIVERSAL = len(CONLL_U)
NO_WORD = re.compile(r"[0-9]+[-.][0-9]+")  # its ids of ranges (1-2) and of empty nodes (1.1)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the first word of a file tells about all others."""

    line: int
    width: int
    tabs: bool
    last: set[str] = field(default_factory=set)  # what was seen in the last column, in a file without tabs


def sentences(
    lines: Iterable[str], where: Callable[[int], str], *, tagged: bool = True
) -> Iterator[tuple[int, list[list[str]]]]:
    """The number of its first line, and the columns of its words, for each sentence.

    Columns are separated by tabs, or by spaces in a line without any.  Left out are comments before a sentence,
    ``-DOCSTART-`` lines, and what is no word in CoNLL-U.

    Args:
        tagged: whether there must be a tag behind each word.

    Raises:
        UserError: a line has another number of columns than the first, or that has only one.
    """
    shape: _Shape | None = None
    start = 0
    rows: list[list[str]] = []
    for number, line in enumerate(lines, 1):
        fields = _fields(line)
        if not fields or fields[0].startswith(BOUNDARY):
            if rows:
                yield start, rows
            rows = []
            continue
        if not rows and _comment(fields, "\t" in line, shape):
            continue
        shape = shape or _first(fields, "\t" in line, number, where, tagged=tagged)
        if len(fields) != shape.width:
            raise UserError(
                f"{where(number)}: {len(fields)} columns where line {shape.line} has {shape.width}; "
                "separate them by tabs, or by spaces in a line without a tab"
            )
        if not shape.tabs:
            shape.last.add(fields[-1])
        elif shape.width == UNIVERSAL and NO_WORD.fullmatch(fields[0]):
            continue
        start = start if rows else number
        rows.append(fields)
    if rows:
        yield start, rows


def _fields(line: str) -> list[str]:
    """The columns of a line; none if it is blank."""
    if not line.strip():
        return []
    line = line.strip(" \r\n")
    return [each.strip() for each in line.split("\t")] if "\t" in line else re.split(" +", line)


def _first(fields: Sequence[str], tabs: bool, number: int, where: Callable[[int], str], *, tagged: bool) -> _Shape:
    if len(fields) == 1 and tagged:
        raise UserError(
            f"{where(number)}: one column ({fields[0]!r:.40}); put a tab or a space between a word and its tag"
        )
    return _Shape(number, len(fields), tabs)


def _comment(fields: Sequence[str], tabs: bool, shape: _Shape | None) -> bool:
    """Whether a line before a sentence is a comment.

    The word "#" has columns like any other; without tabs so may a comment, but its last is no tag that was seen.
    """
    first = fields[0]
    if not first.startswith("#"):
        return False
    if shape and shape.width == 1:
        return len(fields) > 1
    hash_only = not first.strip("#")
    if tabs:
        return first.startswith("# ") or (hash_only and shape is not None and len(fields) != shape.width)
    if len(fields) == 1 or (shape and shape.tabs):
        return True
    return hash_only and not (shape and len(fields) == shape.width and fields[-1] in shape.last)


def names(first: Sequence[str]) -> tuple[str, ...]:
    """What the columns of a file are called: those of CoNLL-U and CoNLL-2003 by their names; of any others the first is
    ``words``, the last ``tags``."""
    if len(first) == UNIVERSAL and first[0].isdigit():
        return CONLL_U
    if len(first) == len(CONLL_2003):
        return CONLL_2003
    return "words", *map(str, range(2, len(first))), "tags"


def words(first: Sequence[str]) -> int:
    """Which column holds the word."""
    return names(first).index("form") if names(first) is CONLL_U else 0


def tags(first: Sequence[str], column: Column, where: str) -> int:
    """Which column holds the tag: that of the name, or the number from 1, that is set; else the usual of the task.

    Raises:
        UserError: the file has no such column.
    """
    called = names(first)
    if len(first) == 2:
        return 1  # whatever it is called
    if found := column.among(called):
        return called.index(found)
    if column.name.isdecimal() and 1 <= int(column.name) <= len(first):
        return int(column.name) - 1
    raise UserError(
        f"{where}: no column {column.name!r}; there are {', '.join(called)}: "
        f"say which with task.{column.field}=NAME, or with its number from 1"
    )
