"""Rows out of files of every format, one at a time, each with where it stood."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.corpora import arrow, columns, conll, encodings, jsons, squad, studio, tables
from pipeline.corpora.columns import Layouts
from pipeline.errors import UserError

UNLINED = (".json", ".parquet", ".arrow")  # formats in which a row has no line


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` counts the rows of its part from 1; ``line`` those of its file, or the file's lines, if it has any;
    ``fields`` are its cells by the names that the task has for them, ``names`` what the file calls those; ``problem`` is what
    it lacks, for it has no fields then."""

    number: int
    file: Path
    line: int
    fields: dict[str, Any]  # as the file has it: text, number, list, object or nothing
    names: Mapping[str, str]
    problem: str = ""

    @property
    def where(self) -> str:
        """File and line, for people."""
        return at(self.file, self.line)


Plain = tuple[Path, int, dict[str, Any], Mapping[str, str]]  # file, line, fields and names of a row
Cells = Plain | tuple[Path, int, dict[str, Any], Mapping[str, str], str]  # and what is wrong with it


def read(files: Sequence[Path], layouts: Layouts, encoding: str = "") -> Iterator[Row]:
    """The rows of ``files``, in order.

    Raises:
        UserError: a file is not what its ending says, lacks a column, or has a row of another form;
            the message names file and line.
    """
    cells = (found for file in files for found in _cells(file, layouts, encoding))
    for number, found in enumerate(cells, 1):
        yield Row(number, *found)


def at(file: Path, line: int) -> str:
    """A place in a file, for people."""
    if not line:
        return str(file)
    return f"{file}, {'row' if file.suffix.lower() in UNLINED else 'line'} {line}"


def _cells(file: Path, layouts: Layouts, encoding: str) -> Iterator[Cells]:
    if file.is_dir():
        return _folder(file, layouts, encoding)
    match file.suffix.lower():
        case ".csv" | ".tsv":
            return tables.cells(file, layouts, encoding)
        case ".jsonl" | ".ndjson":
            return _lines(file, layouts, encoding)
        case ".json":
            return _document(file, layouts, encoding)
        case ".parquet" | ".arrow":
            return arrow.cells(file, layouts)
        case ".txt":
            return _documents(file, layouts, encoding)
        case _:
            return _tagged(file, layouts, encoding)


def kind(value: Any) -> str:
    """What a value is, for people."""
    names = {
        type(None): "nothing", str: "text", int: "a number", float: "a number", bool: "true or false",
        list: "a list", dict: "an object",
    }  # fmt: skip
    return names.get(type(value), f"a {type(value).__name__}")


def _lines(file: Path, layouts: Layouts, encoding: str) -> Iterator[Cells]:
    encoding = encodings.detect(file, encoding)
    known = cache(lambda: _names(_every(file, encoding)))
    with file.open(encoding=encoding) as stream:
        parsed = ((line, _parsed(text, file, line)) for line, text in enumerate(stream, 1) if text.strip())
        yield from _records(parsed, layouts, file, known)


def _parsed(text: str, file: Path, line: int) -> Any:
    try:
        return jsons.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{file}, line {line}: not JSON: {error.msg} at character {error.pos + 1}") from None
    except jsons.Beyond as error:
        raise UserError(f"{file}, line {line}: {error}") from None


def _every(file: Path, encoding: str) -> Iterator[Any]:
    """What all lines hold, but those that are not JSON, of which is said what is wrong when they are read."""
    with file.open(encoding=encoding) as stream:
        for text in stream:
            with suppress(ValueError, RecursionError):
                yield json.loads(text)


def _names(records: Iterable[Any]) -> list[str]:
    """The names that any record has, in the order of their first."""
    return list({name: None for record in records if isinstance(record, dict) for name in record})


def _document(file: Path, layouts: Layouts, encoding: str) -> Iterator[Cells]:
    text = file.read_text(encoding=encodings.detect(file, encoding))
    try:
        document = jsons.loads(text)
    except json.JSONDecodeError as error:
        hint = "; one object a line is called .jsonl" if error.msg == "Extra data" else ""
        raise UserError(f"{file}, line {error.lineno}: not JSON: {error.msg}{hint}") from None
    except jsons.Beyond as error:
        raise UserError(f"{file}: {error}") from None
    records = squad.flattened(document, str(file)) or studio.flattened(document) or document
    if isinstance(records, dict):
        lists = [value for value in records.values() if isinstance(value, list)]
        records = lists[0] if len(lists) == 1 else records
    if not isinstance(records, list):
        raise UserError(f"{file}: expected a list of objects, such as [{_example(layouts)}, …]")
    yield from _records(enumerate(records, 1), layouts, file, cache(lambda: _names(records)))


def _records(
    records: Iterable[tuple[int, Any]], layouts: Layouts, file: Path, known: Callable[[], list[str]]
) -> Iterator[Cells]:
    """The records of a file.  Where one was whole, columns have the names that they should, so that it is another record
    that is wrong and not the settings."""
    whole = False
    for number, record in records:
        try:
            fields, names = _fields(record, layouts, at(file, number), known)
        except columns.Lacking:
            if not whole:
                raise
            yield file, number, {}, {}, _lacks(record, layouts, at(file, number))
            continue
        whole = True
        yield file, number, fields, names


def _lacks(record: Mapping[str, Any], layouts: Layouts, where: str) -> str:
    """What to say of a record that lacks what others have."""
    missing = min(([c.name for c in columns.needed(one) if not c.among(list(record))] for one in layouts), key=len)
    return f"{where}: no {' and no '.join(map(repr, missing))}, which rows before it have; add it, or set task.invalid=skip"


def _fields(
    record: Any, layouts: Layouts, where: str, known: Callable[[], list[str]]
) -> tuple[dict[str, Any], dict[str, str]]:
    if not isinstance(record, dict):
        raise UserError(f"{where}: expected an object such as {_example(layouts)}, not {kind(record)}")
    names = {column.field: name for column, name in columns.of_record(record, layouts, where, known)}
    return {field: record.get(name, []) for field, name in names.items()}, names


def _example(layouts: Layouts) -> str:
    return "{" + ", ".join(f'"{column.name}": …' for column in columns.needed(layouts[0])) + "}"


def _folder(folder: Path, layouts: Layouts, encoding: str) -> Iterator[Cells]:
    """``<label>/*.txt``, a file a text."""
    text, *target = _two(layouts, f"{folder}: holds folders of texts, a folder a label")
    for file in sorted(folder.glob("*/*.txt")):
        content = file.read_text(encoding=encodings.detect(file, encoding))
        yield file, 0, {text: content, **dict.fromkeys(target, file.parent.name)}, {}


def _two(layouts: Layouts, what: str) -> list[str]:
    """The fields of the layout that is one text and what is to be learned of it, or a text alone."""
    if field := columns.alone(layouts):
        return [field]
    for layout in layouts:
        if len(layout) <= 2 and [column.target for column in layout] == [False, True][: len(layout)]:
            return [column.field for column in layout]
    wanted = ", ".join(column.name for column in columns.needed(layouts[0]))
    raise UserError(f"{what}, but this task wants {wanted}; give it .csv or .jsonl with these")


def _documents(file: Path, layouts: Layouts, encoding: str) -> Iterator[Cells]:
    """A file of nothing but texts, with blank lines between them."""
    field = columns.alone(layouts)
    if not field:
        wanted = ",".join(column.name for column in columns.needed(layouts[0]))
        raise UserError(f"{file}: holds texts alone, but this task wants {wanted}; give it .csv or .jsonl with these")
    with file.open(encoding=encodings.detect(file, encoding)) as stream:
        for blank, lines in groupby(enumerate(stream, 1), key=lambda each: not each[1].strip()):
            if not blank:
                (first, begin), *more = lines
                yield file, first, {field: begin + "".join(line for _, line in more)}, {field: field}


def _tagged(file: Path, layouts: Layouts, encoding: str) -> Iterator[Cells]:
    """A CoNLL file: a word a line with its tag, a blank line between sentences."""
    layout = next((each for each in layouts if {c.field for c in each} <= {"words", "tags"}), ())
    if not layout:
        wanted = ",".join(column.name for column in columns.needed(layouts[0]))
        raise UserError(
            f"{file}: holds words and tags, but this task wants {wanted}; give it .csv or .jsonl with these"
        )
    with file.open(encoding=encodings.detect(file, encoding)) as stream:
        places: dict[str, int] = {}
        tags = next((column for column in layout if column.field == "tags"), None)
        for line, words in conll.sentences(stream, lambda number: f"{file}, line {number}", tagged=tags is not None):
            if not places:
                places = {"words": conll.words(words[0])}
                if tags is not None:
                    places["tags"] = conll.tags(words[0], tags, f"{file}, line {line}")
            found = {name: [cells[place] for cells in words] for name, place in places.items()}
            yield file, line, found, {name: name for name in found}
