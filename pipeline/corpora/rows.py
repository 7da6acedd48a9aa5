"""Rows out of files of every format, one at a time, each with where it stood."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline.corpora import encodings
from pipeline.errors import UserError

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Columns:
    """Which columns to read: that of the text, and that of what to learn."""

    text: str
    label: str

    @property
    def names(self) -> tuple[str, str]:
        return self.text, self.label


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` counts the rows of its part from 1; ``where`` names file and line for people."""

    number: int
    file: Path
    line: int
    text: str
    label: Any  # as the file has it: text, number or nothing

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else str(self.file)


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
            yield Row(number, place, line, _text(text, place, line, columns), label)


def from_records(records: Iterable[dict[str, Any]], columns: Columns, place: Path) -> Iterator[Row]:
    """Rows of a table that is loaded already; ``place`` is what to call it."""
    for number, record in enumerate(records, 1):
        text, label = _fields(record, columns, place, number)
        yield Row(number, place, number, _text(text, place, number, columns), label)


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
            return _arrow(file, columns)
    raise AssertionError(f"no reader for {file}")


def _text(value: Any, file: Path, line: int, columns: Columns) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(
            f"{file}, line {line}: column {columns.text!r} holds {_kind(value)} ({value!r:.40}), not text; "
            "name the column of the text with task.text=NAME"
        )
    return value


def _kind(value: Any) -> str:
    return {int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}.get(
        type(value), type(value).__name__
    )


def _table(file: Path, columns: Columns, encoding: str) -> Iterator[tuple[int, str, str]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    found = encodings.detect(file, encoding)
    with file.open(encoding=found, newline="") as stream:
        header = stream.readline()
        delimiter = _delimiter(header, file)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            names = [name.strip() for name in next(reader, [])]
            text, label = _positions(names, columns, file)
            for fields in reader:
                if not fields:
                    continue
                if len(fields) != len(names):
                    raise UserError(
                        f"{file}, line {reader.line_num}: {len(fields)} fields where the header has {len(names)}; "
                        f"put a text that holds {delimiter!r} into double quotes"
                    )
                yield reader.line_num, fields[text], fields[label]
        except csv.Error as error:
            raise UserError(
                f'{file}, line {reader.line_num}: {error}; a double quote inside a text is written twice, as in ""'
            ) from None


def _delimiter(header: str, file: Path) -> str:
    if file.suffix.lower() == ".tsv":
        return "\t"
    return max(DELIMITERS, key=header.count) if any(d in header for d in DELIMITERS) else ","


def _positions(names: list[str], columns: Columns, file: Path) -> list[int]:
    if not any(names):
        raise UserError(f"{file}: empty; the first line must name the columns, such as text,label")
    if problems := [problem for name in columns.names if (problem := _lacking(name, names, file, columns))]:
        raise UserError(*problems)
    if twice := [name for name in columns.names if names.count(name) > 1]:
        raise UserError(f"{file}: two columns are called {twice[0]!r}; rename one")
    return [names.index(name) for name in columns.names]


def _lacking(name: str, names: Sequence[str], file: Path, columns: Columns) -> str:
    """What to say when a column is not there."""
    if name in names:
        return ""
    close = get_close_matches(name, names, n=1)
    setting = "task.text" if name == columns.text else "task.label"
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{file}: no column {name!r}; {hint}there are {', '.join(map(repr, names))}: say which with {setting}=NAME"


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
        raise UserError(
            f'{file}, line {line}: expected an object such as {{"text": …, "label": …}}, not {_kind(record)}'
        )
    if problems := [problem for name in columns.names if (problem := _lacking(name, list(record), file, columns))]:
        raise UserError(*(problem.replace(f"{file}:", f"{file}, line {line}:", 1) for problem in problems))
    return record[columns.text], record[columns.label]


def _arrow(file: Path, columns: Columns) -> Iterator[tuple[int, Any, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if file.suffix.lower() == ".parquet":
            names, batches = _parquet(pq.ParquetFile(file), columns, file)
        else:
            names, batches = _stream(pa, file)
    except pa.ArrowInvalid as error:
        raise UserError(f"{file}: not {file.suffix[1:]}: {str(error).splitlines()[0]}") from None
    _positions(names, columns, file)
    number = 0
    for batch in batches:
        for text, label in zip(batch[columns.text].to_pylist(), batch[columns.label].to_pylist(), strict=True):
            number += 1
            yield number, text, label


def _parquet(opened: Any, columns: Columns, file: Path) -> tuple[list[str], Iterator[Any]]:
    names = opened.schema_arrow.names
    return names, opened.iter_batches(columns=[n for n in columns.names if n in names])


def _stream(pa: Any, file: Path) -> tuple[list[str], Iterator[Any]]:
    """Arrow comes as a stream (as ``datasets`` writes it) or as a file (Feather)."""
    mapped = pa.memory_map(str(file))
    try:
        stream = pa.ipc.open_stream(mapped)
        return stream.schema.names, iter(stream)
    except pa.ArrowInvalid:
        whole = pa.ipc.open_file(mapped)
        return whole.schema.names, (whole.get_batch(i) for i in range(whole.num_record_batches))


def _folder(folder: Path, encoding: str) -> Iterator[tuple[Path, str, str]]:
    """``<label>/*.txt``, a file a text."""
    for file in sorted(folder.glob("*/*.txt")):
        yield file, file.read_text(encoding=encodings.detect(file, encoding)), file.parent.name
