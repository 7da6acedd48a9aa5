"""Rows out of files of every format, one at a time, each with where it stood."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.corpora import arrow, encodings
from pipeline.corpora.columns import Columns, lacking, positions
from pipeline.errors import UserError

DELIMITERS = ",;\t|"
LINED = (".csv", ".tsv", ".jsonl", ".ndjson")  # formats in which a row has a line


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` counts the rows of its part from 1; ``line`` those of its file, or the file's lines, if it has any."""

    number: int
    file: Path
    line: int
    text: str
    label: Any  # as the file has it: text, number or nothing

    @property
    def where(self) -> str:
        """File and line, for people."""
        return _at(self.file, self.line)


def read(files: Sequence[Path], columns: Columns, encoding: str = "") -> Iterator[Row]:
    """The rows of ``files``, in order.

    Raises:
        UserError: a file is not what its ending says, lacks a column, or has a row of another form;
            the message names file and line.
    """
    number = 0
    for file in files:
        for place, line, text, label in _records(file, columns, encoding):
            number += 1
            where = (place, line, columns)
            yield Row(number, place, line, _text(text, *where), _label(label, *where))


def _at(file: Path, line: int) -> str:
    if not line:
        return str(file)
    return f"{file}, {'line' if file.suffix.lower() in LINED else 'row'} {line}"


def _records(file: Path, columns: Columns, encoding: str) -> Iterator[tuple[Path, int, Any, Any]]:
    """(file, line, text, label) of each row."""
    if file.is_dir():
        yield from ((place, 0, text, label) for place, text, label in _folder(file, encoding))
    else:
        yield from ((file, *record) for record in _reader(file, columns, encoding))


def _reader(file: Path, columns: Columns, encoding: str) -> Iterator[tuple[int, Any, Any]]:
    match file.suffix.lower():
        case ".csv" | ".tsv":
            return _table(file, columns, encoding)
        case ".jsonl" | ".ndjson":
            return _lines(file, columns, encoding)
        case ".json":
            return _document(file, columns, encoding)
        case ".parquet" | ".arrow":
            return arrow.records(file, columns)
    raise AssertionError(f"no reader for {file}")


def _text(value: Any, file: Path, line: int, columns: Columns) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(
            f"{_at(file, line)}: column {columns.text!r} holds {_kind(value)} ({value!r:.40}), not text; "
            "name the column of the text with task.text=NAME"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{_at(file, line)}: column {columns.text!r} holds half a character ({value!r:.40}); correct it"
        ) from None
    return value


def _label(value: Any, file: Path, line: int, columns: Columns) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    raise UserError(
        f"{_at(file, line)}: column {columns.label!r} holds {_kind(value)} ({value!r:.40}), not one label; "
        "name the column of the label with task.label=NAME"
    )


def _kind(value: Any) -> str:
    names = {
        type(None): "nothing", str: "text", int: "a number", float: "a number", bool: "true or false",
        list: "a list", dict: "an object",
    }  # fmt: skip
    return names.get(type(value), f"a {type(value).__name__}")


def _table(file: Path, columns: Columns, encoding: str) -> Iterator[tuple[int, str, str]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    found = encodings.detect(file, encoding)
    with file.open(encoding=found, newline="") as stream:
        header = stream.readline()
        delimiter = _delimiter(header, file)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        begun = 1
        try:
            names = [name.strip() for name in next(reader, [])]
            text, label = positions(names, columns, file)
            begun = reader.line_num + 1
            for fields in reader:
                line, begun = begun, reader.line_num + 1
                if not fields:
                    continue
                if len(fields) != len(names):
                    raise UserError(
                        f"{file}, line {line}: {len(fields)} fields where the header has {len(names)}; "
                        f"put a text that holds {delimiter!r} into double quotes"
                    )
                yield line, fields[text], fields[label]
        except csv.Error as error:
            reason = "a double quote is opened and never closed" if "end of data" in str(error) else str(error)
            raise UserError(f'{file}, line {begun}: {reason}; inside a text it is written twice, as in ""') from None


def _delimiter(header: str, file: Path) -> str:
    if file.suffix.lower() == ".tsv":
        return "\t"
    return max(DELIMITERS, key=header.count) if any(d in header for d in DELIMITERS) else ","


def _lines(file: Path, columns: Columns, encoding: str) -> Iterator[tuple[int, Any, Any]]:
    with file.open(encoding=encodings.detect(file, encoding)) as stream:
        for line, text in enumerate(stream, 1):
            if text.strip():
                try:
                    record = json.loads(text)
                except json.JSONDecodeError as error:
                    raise UserError(
                        f"{file}, line {line}: not JSON: {error.msg} at character {error.pos + 1}"
                    ) from None
                yield line, *_fields(record, columns, file, line)


def _document(file: Path, columns: Columns, encoding: str) -> Iterator[tuple[int, Any, Any]]:
    text = file.read_text(encoding=encodings.detect(file, encoding))
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        hint = "; one object a line is called .jsonl" if error.msg == "Extra data" else ""
        raise UserError(f"{file}, line {error.lineno}: not JSON: {error.msg}{hint}") from None
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = lists[0] if len(lists) == 1 else document
    if not isinstance(document, list):
        raise UserError(f'{file}: expected a list of objects, such as [{{"text": …, "label": …}}, …]')
    for number, record in enumerate(document, 1):
        yield number, *_fields(record, columns, file, number)


def _fields(record: Any, columns: Columns, file: Path, line: int) -> tuple[Any, Any]:
    if not isinstance(record, dict):
        raise UserError(f'{_at(file, line)}: expected an object such as {{"text": …, "label": …}}, not {_kind(record)}')
    if problems := [problem for name in columns.names if (problem := lacking(name, list(record), file, columns))]:
        raise UserError(*(problem.replace(f"{file}:", f"{_at(file, line)}:", 1) for problem in problems))
    return record[columns.text], record[columns.label]


def _folder(folder: Path, encoding: str) -> Iterator[tuple[Path, str, str]]:
    """``<label>/*.txt``, a file a text."""
    for file in sorted(folder.glob("*/*.txt")):
        yield file, file.read_text(encoding=encodings.detect(file, encoding)), file.parent.name
