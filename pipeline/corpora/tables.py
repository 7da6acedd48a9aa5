"""Rows out of CSV and TSV files, also as spreadsheets write them."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from pipeline.corpora import columns, encodings
from pipeline.corpora.columns import Layouts
from pipeline.errors import UserError

DELIMITERS = ",;\t|"
QUOTED = re.compile(r'(?<![^,;\t|])"(?:[^"]|"")*(?:"|$)')  # a cell in quotes
SEPARATOR = re.compile(r'sep=([^"\w\s]|\t)', re.IGNORECASE)  # how Excel is told the delimiter, in a line of its own
LONGEST = 100  # lines of a header


def cells(file: Path, layouts: Layouts, encoding: str) -> Iterator[tuple[Path, int, dict[str, Any], dict[str, str]]]:
    """(file, line, fields, names) of each row.

    Raises:
        UserError: the file lacks a column, or has a row of another form.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with file.open(encoding=encodings.detect(file, encoding), newline="") as stream:
        skipped, delimiter, header = _opening(stream, file)
        reader = csv.reader(chain(header, stream), delimiter=delimiter, strict=True)
        begun = skipped + 1
        try:
            header_names = [name.strip() for name in next(reader, [])]
            wanted = columns.found(header_names, layouts, file)
            names = {column.field: name for column, name in wanted}
            places = [(column.field, header_names.index(name)) for column, name in wanted]
            begun = skipped + reader.line_num + 1
            for row in reader:
                line, begun = begun, skipped + reader.line_num + 1
                if not row:
                    continue
                if len(row) != len(header_names):
                    raise UserError(
                        f"{file}, line {line}: {len(row)} fields where the header has {len(header_names)}; "
                        f"put a text that holds {delimiter!r} into double quotes"
                    )
                yield file, line, {field: row[place] for field, place in places}, names
        except csv.Error as error:
            reason = "a double quote is opened and never closed" if "end of data" in str(error) else str(error)
            raise UserError(f'{file}, line {begun}: {reason}; inside a text it is written twice, as in ""') from None


def _opening(stream: TextIO, file: Path) -> tuple[int, str, list[str]]:
    """How many lines are before the header, the delimiter, and the header's lines."""
    skipped, delimiter, header = 0, "", ""
    while line := stream.readline():
        if not skipped and (named := SEPARATOR.fullmatch(line.rstrip("\r\n"))):
            delimiter = named[1]
        elif line.strip():
            header = line
            break
        skipped += 1
    lines = [header]
    # A name may have a line end in it.
    while header.count('"') % 2 and len(lines) < LONGEST and (line := stream.readline()):
        lines.append(line)
        header += line
    return skipped, delimiter or _delimiter(header, file), lines


def _delimiter(header: str, file: Path) -> str:
    if file.suffix.lower() == ".tsv":
        return "\t"
    bare = QUOTED.sub("", header)  # a name may hold what parts others
    return max(DELIMITERS, key=bare.count) if any(d in bare for d in DELIMITERS) else ","
