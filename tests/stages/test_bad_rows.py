"""What is said of rows that cannot be read: file, line or row, column, value and the way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.corpora.labels import listed
from pipeline.corpora.rows import read
from pipeline.corpora.values import named
from pipeline.errors import UserError
from pipeline.tasks.regression import Regression
from pipeline.tasks.tagging import Tagging
from tests.conftest import form_of
from tests.stages.conftest import Gather, put, refusing
from tests.stages.test_rows import arrow, rows

HEADERS = {
    "data.csv": ("Text,lable\na,b\n", ""),
    "data.json": ('[{"Text": "a", "lable": "b"}]', ""),
    "data.jsonl": ('\n{"Text": "a", "lable": "b"}\n', ", line 2"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_missing_columns_are_all_named_with_the_nearest_names_and_the_settings(tmp_path: Path, name: str) -> None:
    content, line = HEADERS[name]
    file = put(tmp_path / name, content)
    with refusing(
        f"{file}{line}", "no column 'text'; did you mean 'Text'?", "task.text=NAME",
        "no column 'label'; did you mean 'lable'?", "task.label=NAME", "there are 'Text', 'lable'",
    ):  # fmt: skip
        rows(file)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "file.arrow"])
def test_missing_columns_of_arrow_data_are_named_too(tmp_path: Path, ending: str) -> None:
    file = arrow(tmp_path / f"data.{ending}", [{"opinion": "a", "stars": 1}])
    with refusing(file, "no column 'text'", "no column 'label'", "there are 'opinion', 'stars'", "task.text=NAME"):
        rows(file)


def test_a_column_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", "text,text,label\na,b,c\n")
    with refusing(file, "two columns are called 'text'", "rename one"):
        rows(file)


@pytest.mark.parametrize("content", ["", "\n", " , \n"])
def test_a_table_without_a_header_is_empty(tmp_path: Path, content: str) -> None:
    file = put(tmp_path / "data.csv", content)
    with refusing(file, "empty", "the first line must name the columns, such as text,label"):
        rows(file)


@pytest.mark.parametrize(("content", "delimiter"), [("a,b,c\n", ","), ("a\n", ",")])
def test_a_row_of_another_length_is_refused_with_its_line(tmp_path: Path, content: str, delimiter: str) -> None:
    file = put(tmp_path / "data.csv", "text,label\na,b\n" + content)
    count = content.count(",") + 1
    with refusing(
        f"{file}, line 3", f"{count} fields where the header has 2", f"holds {delimiter!r} into double quotes"
    ):
        rows(file)


@pytest.mark.parametrize("before", ["\n\n", "sep=,\n\n"])
@pytest.mark.parametrize(("row", "what"), [("a,b,c\n", "3 fields"), ('"a,b\n', "never closed")])
def test_lines_before_the_header_are_counted(tmp_path: Path, before: str, row: str, what: str) -> None:
    file = put(tmp_path / "data.csv", f"{before}text,label\na,b\n{row}")
    with refusing(f"{file}, line 5: ", what):
        rows(file)


def test_a_stray_quote_is_refused_with_its_line_and_the_way_to_write_it(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", 'text,label\na,b\n"a "fine" soup",b\nc,d\n')
    with refusing(f"{file}, line 3", "expected after", 'written twice, as in ""'):
        rows(file)


def test_a_quote_that_is_never_closed_is_refused_with_the_line_where_it_opens(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", 'text,label\na,b\n"open,b\n' + "c,d\n" * 50)
    with refusing(f"{file}, line 3", 'written twice, as in ""'):
        rows(file)


BAD_LINES = {
    "not JSON": ('{"text": "a", "label": }', "not JSON: Expecting value at character 24"),
    "a list": ("[1, 2]", 'expected an object such as {"text": …, "label": …}, not a list'),
    "a number": ("5", "not a number"),
    "true": ("true", "not true or false"),
    "a text that is a number": ('{"text": 5, "label": "x"}', "column 'text' holds a number (5), not text"),
    "a text that is a list": ('{"text": ["a"], "label": "x"}', "column 'text' holds a list (['a']), not text"),
    "a text that is an object": ('{"text": {}, "label": "x"}', "holds an object ({}), not text; name the column"),
    "a text that is true": ('{"text": true, "label": "x"}', "holds true or false (True)"),
    "a label that is a list": ('{"text": "a", "label": ["x", "y"]}', "column 'label' holds a list"),
    "a label that is an object": ('{"text": "a", "label": {"x": 1}}', "column 'label' holds an object"),
    "half a character": ('{"text": "a \\ud83d", "label": "x"}', "column 'text' holds half a character"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_of_jsonl_is_refused_with_its_number(tmp_path: Path, case: str) -> None:
    content, said = BAD_LINES[case]
    file = put(tmp_path / "data.jsonl", '{"text": "a", "label": "x"}\n\n' + content + "\n")
    with refusing(f"{file}, line 3", said):
        rows(file)


@pytest.mark.parametrize("value", ["null", '"a"', "5", "true", "[]"])
def test_a_value_is_not_called_what_python_calls_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(UserError) as caught:
        rows(put(tmp_path / "data.jsonl", value))
    assert not {"NoneType", "str", "int", "bool"} & set(str(caught.value).rpartition(", not ")[2].split())


BAD_DOCUMENTS = {
    "not JSON": ("[{]", "line 1: not JSON: Expecting property name"),
    "nothing": ("", "line 1: not JSON: Expecting value"),
    "lines": ('{"a": 1}\n{"a": 2}\n', "line 2: not JSON: Extra data; one object a line is called .jsonl"),
    "two lists": ('{"train": [], "test": []}', 'expected a list of objects, such as [{"text": …, "label": …}, …]'),
    "a number": ("5", "expected a list of objects"),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_bad_document_is_refused_with_what_is_expected(tmp_path: Path, case: str) -> None:
    content, said = BAD_DOCUMENTS[case]
    file = put(tmp_path / "data.json", content)
    with refusing(file, said):
        rows(file)


DEEP = "[" * 5_000 + "]" * 5_000
EXTREMES = {
    "nesting": (DEEP, "hundreds deep"),
    "an open nesting": ("[" * 100_000, "hundreds deep"),
    "digits": ('{"text": "a", "label": ' + "7" * 5_000 + "}", "more than 4,300 digits; write it in double quotes"),
}


@pytest.mark.parametrize("case", EXTREMES)
def test_json_beyond_what_python_reads_is_refused(tmp_path: Path, case: str) -> None:
    content, what = EXTREMES[case]
    lines = put(tmp_path / "data.jsonl", '{"text": "a", "label": "b"}\n' + content)
    with refusing(f"{lines}, line 2: ", what):
        rows(lines)
    document = put(tmp_path / "data.json", f"[{content}]")
    with refusing(f"{document}: ", what):
        rows(document)
    names = put(tmp_path / "labels.json", content)
    with refusing(f"{names}: ", what):
        listed(names)


def test_a_score_beyond_all_numbers_is_refused_with_its_line(tmp_path: Path) -> None:
    file = put(tmp_path / "data.jsonl", '{"text": "a", "score": 1' + "0" * 400 + "}\n")
    form = form_of(Regression())
    (row,) = read([file], form.layouts)
    with refusing(f"{file}, line 1: column 'score' holds a number (1000", "too large to be learned"):
        list(form.examples(row))


@pytest.mark.parametrize("cell", ["[" * 100_000, DEEP, "[" + "7" * 5_000 + "]"])
def test_a_cell_beyond_what_python_reads_is_no_list(tmp_path: Path, cell: str) -> None:
    file = put(tmp_path / "data.csv", f"words,tags\n{cell},{cell}\n")
    form = form_of(Tagging())
    (row,) = read([file], form.layouts)
    with refusing(f"{file}, line 2: column 'words' holds text", "not a list"):
        list(form.examples(row))


def test_a_label_of_very_many_digits_is_beyond_the_names() -> None:
    with refusing("line 2: label 777", "is beyond the 2 names"):
        named("7" * 5_000, ["no", "yes"], "data.csv, line 2")


def test_a_label_of_very_many_digits_is_a_name(tmp_path: Path, gather: Gather) -> None:
    long = "7" * 5_000
    cells = "".join(f"text {n},{long if n % 2 else 8}\n" for n in range(40))
    assert gather(put(tmp_path / "data.csv", f"text,label\n{cells}")).read("labels.json") == ["8", long]


def test_a_bad_record_of_a_document_is_counted_as_a_row_not_as_a_line(tmp_path: Path) -> None:
    records = [{"text": "a", "label": "x"}, {"text": 5, "label": "x"}]
    file = put(tmp_path / "data.json", json.dumps(records, indent=2))
    with refusing(f"{file}, row 2: column 'text' holds a number (5)"):
        rows(file)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_text_column_of_numbers_is_refused_with_its_row(tmp_path: Path, ending: str) -> None:
    file = arrow(tmp_path / f"data.{ending}", [{"text": 5, "label": "x"}])
    with refusing(f"{file}, row 1: column 'text' holds a number (5), not text", "task.text=NAME"):
        rows(file)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "file.arrow"])
@pytest.mark.parametrize("content", [b"not such a file at all", b""], ids=["other", "empty"])
def test_a_file_that_is_not_what_its_ending_says_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    file = tmp_path / f"data.{ending}"
    file.write_bytes(content)
    with refusing(f"{file}: not {file.suffix[1:]}"):
        rows(file)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "file.arrow"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    file = arrow(tmp_path / f"data.{ending}", [{"text": f"row {n}" * 20, "label": "x"} for n in range(500)])
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with refusing(file):
        rows(file)
