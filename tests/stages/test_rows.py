"""Rows out of files of every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpora import values
from pipeline.corpora.rows import Row, read
from pipeline.tasks.classification import Classification
from tests.conftest import form_of
from tests.stages.conftest import put

FORM = form_of(Classification())
RECORDS = [{"id": 7, "text": "good soup 😀", "label": "yes"}, {"id": 8, "text": "ｂａｄ, soup", "label": "no"}]
CSV = 'id,text,label\n7,good soup 😀,yes\n8,"ｂａｄ, soup",no\n'


def rows(file: Path) -> list[Row]:
    """The rows of a file, all of them such as classification takes."""
    read_rows = list(read([file], FORM.layouts))
    for row in read_rows:
        list(FORM.examples(row))
    return read_rows


def found(file: Path) -> list[tuple[str, Any]]:
    return [(values.text(row, "text"), row.fields["label"]) for row in rows(file)]


def arrow(file: Path, records: list[dict[str, Any]]) -> Path:
    """A Parquet file, an Arrow stream (.arrow) or an Arrow file (.file.arrow)."""
    table = pa.Table.from_pylist(records)
    if file.suffix == ".parquet":
        pq.write_table(table, file)
        return file
    new = pa.ipc.new_file if file.name.endswith(".file.arrow") else pa.ipc.new_stream
    with new(str(file), table.schema) as sink:
        sink.write_table(table)
    return file


def text(content: str) -> Callable[[Path], object]:
    return lambda file: put(file, content)


def lines(records: list[Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


FORMATS: dict[str, Callable[[Path], object]] = {
    "commas.csv": text(CSV),
    "semicolons.csv": text('id;text;label\n7;good soup 😀;yes\n8;"ｂａｄ, soup";no\n'),
    "tabs.csv": text("id\ttext\tlabel\n7\tgood soup 😀\tyes\n8\tｂａｄ, soup\tno\n"),
    "bars.csv": text("id|text|label\n7|good soup 😀|yes\n8|ｂａｄ, soup|no\n"),
    "windows.csv": text(CSV.replace("\n", "\r\n")),
    "quoted.csv": text('"id","text","label"\n"7","good soup 😀","yes"\n"8","ｂａｄ, soup","no"\n'),
    "blanks.csv": text(CSV.replace("id,text,label", " id , text,label ")),
    "empty lines.csv": text(CSV.replace("\n", "\n\n")),
    "no last newline.csv": text(CSV.rstrip()),
    "capitals.CSV": text(CSV),
    "data.tsv": text("id\ttext\tlabel\n7\tgood soup 😀\tyes\n8\tｂａｄ, soup\tno\n"),
    "list.json": text(json.dumps(RECORDS)),
    "object.json": text(json.dumps({"version": 1, "data": RECORDS})),
    "data.jsonl": text(lines(RECORDS)),
    "data.ndjson": text(lines(RECORDS).replace("\n", "\n\n")),
    "data.parquet": lambda file: arrow(file, RECORDS),
    "data.arrow": lambda file: arrow(file, RECORDS),
    "data.file.arrow": lambda file: arrow(file, RECORDS),
}


HEADERS = {
    "commas inside quotes": '"id (a, b, c)";text;label\n',
    "bars inside quotes": '"id|en|de|fr";text;label\n',
    "quotes inside quotes": '"the ""id"", a, b, c";text;label\n',
    "a line end inside quotes": '"id,\na, b, c";text;label\n',
    "an inch in a name": 'size, 5";text;label\n',
    "a delimiter of its own": "sep=;\r\nid,,,;text;label\n",
    "a rare delimiter": "Sep=;\nid;text;label\n",
    "blank lines before": "\n \r\n\nid;text;label\n",
    "a delimiter and blank lines before": "sep=;\n\nid;text;label\n",
}


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_header_is_found_with_its_delimiter(tmp_path: Path, case: str, encoding: str) -> None:
    file = put(tmp_path / "data.csv", f"{HEADERS[case]}7;good, soup;yes\n", encoding)
    (row,) = rows(file)
    assert row.fields == {"text": "good, soup", "label": "yes"}
    assert row.line == HEADERS[case].count("\n") + 1


def test_excel_may_name_any_delimiter(tmp_path: Path) -> None:
    assert found(put(tmp_path / "data.csv", "sep=^\ntext^label\na,b;c^x\n")) == [("a,b;c", "x")]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    FORMATS[name](tmp_path / name)
    assert found(tmp_path / name) == [("good soup 😀", "yes"), ("ｂａｄ, soup", "no")]


def test_a_folder_of_texts_gives_a_row_a_file_in_order_of_name(tmp_path: Path) -> None:
    put(tmp_path / "data" / "pos" / "2.txt", "fine 😀\n")
    put(tmp_path / "data" / "pos" / "1.txt", "两行\r\n好")
    put(tmp_path / "data" / "neg" / "1.txt", "差", "gb18030")
    found = [(row.fields["text"], row.fields["label"], row.where) for row in rows(tmp_path / "data")]
    files = [str(tmp_path / "data" / name) for name in ("neg/1.txt", "pos/1.txt", "pos/2.txt")]
    assert found == list(zip(["差", "两行\n好", "fine 😀\n"], ["neg", "pos", "pos"], files, strict=True))


def test_rows_of_several_files_are_numbered_through_and_keep_their_own_lines(tmp_path: Path) -> None:
    files = [put(tmp_path / f"{n}.csv", f"text,label\na{n},x\nb{n},y\n") for n in (1, 2)]
    found = [(row.number, row.file.name, row.line) for row in read(files, FORM.layouts)]
    assert found == [(1, "1.csv", 2), (2, "1.csv", 3), (3, "2.csv", 2), (4, "2.csv", 3)]


@pytest.mark.parametrize("word", ["null", "NA", "N/A", "None", "nan", "NULL", "true", "1e5", "001", ""])
def test_the_word_null_and_its_like_stay_text(tmp_path: Path, word: str) -> None:
    files = [
        put(tmp_path / "data.csv", f"text,label\n{word},{word}\n"),
        put(tmp_path / "data.jsonl", lines([{"text": word, "label": word}])),
        arrow(tmp_path / "data.parquet", [{"text": word, "label": word}]),
    ]
    assert [found(file) for file in files] == [[(word, word)]] * 3


def test_quoted_newlines_and_doubled_quotes_are_part_of_the_text(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", 'text,label\n"first\nsecond ""quoted"" \r\nthird",x\nlast,y\n')
    assert found(file) == [('first\nsecond "quoted" \r\nthird', "x"), ("last", "y")]


def test_quotes_inside_an_unquoted_text_stay(tmp_path: Path) -> None:
    assert found(put(tmp_path / "data.csv", 'text,label\nsay "hi" twice,x\n')) == [('say "hi" twice', "x")]


def test_a_very_long_text_is_read_whole(tmp_path: Path) -> None:
    long = "word " * 100_000
    assert found(put(tmp_path / "data.csv", f"text,label\n{long},x\n")) == [(long, "x")]


def test_a_missing_text_is_empty_and_a_missing_label_nothing(tmp_path: Path) -> None:
    records = [{"text": None, "label": None}, {"text": "a", "label": "b"}]
    for file in (put(tmp_path / "data.jsonl", lines(records)), arrow(tmp_path / "data.parquet", records)):
        assert found(file) == [("", None), ("a", "b")]
