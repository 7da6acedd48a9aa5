"""Labelled text in one shape: what is checked, reported and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Corpus
from pipeline.corpora.source import Source
from pipeline.stages.collect import remarks
from pipeline.tasks.classification import Classification
from tests.conftest import review_rows, write_csv
from tests.stages.conftest import Gather, Notebook, everything, pairs, put, refusing, texts

ROWS = review_rows(60)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A file that is not split."""
    return write_csv(tmp_path / "data.csv", ROWS)


def split(folder: Path, rows: list[Any], labels: Any = None) -> Path:
    """A folder with the same rows to train and to validate on, and label names."""
    for name in ("train", "validation"):
        write_csv(folder / f"{name}.csv", rows)
    if labels is not None:
        put(folder / "labels.json", json.dumps(labels))
    return folder


def contents(corpus: Corpus) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in corpus.path.iterdir()}


def test_a_corpus_holds_splits_labels_and_a_report(reviews: Path, gather: Gather) -> None:
    corpus = gather(reviews)
    assert set(contents(corpus)) == {"train.arrow", "validation.arrow", "test.arrow", "labels.json", "data.json"}
    schema = pa.schema([("text", pa.string()), ("label", pa.int32()), ("row", pa.int64())])
    assert corpus.table("train").schema == schema
    assert corpus.read("labels.json") == ["negative", "positive"]


def test_the_same_rows_give_the_same_bytes_wherever_they_lie(reviews: Path, tmp_path: Path, gather: Gather) -> None:
    elsewhere = tmp_path / "another folder" / "renamed.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(reviews.read_bytes())
    first = contents(gather(reviews))
    assert contents(gather(reviews)) == first
    assert contents(gather(elsewhere)) == first


def test_every_format_gives_the_same_corpus(tmp_path: Path, gather: Gather) -> None:
    records = [{"text": text, "label": label} for text, label in ROWS]
    table = pa.Table.from_pylist(records)
    put(tmp_path / "data.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    put(tmp_path / "data.json", json.dumps({"data": records}))
    pq.write_table(table, tmp_path / "data.parquet")
    with pa.ipc.new_stream(str(tmp_path / "data.arrow"), table.schema) as stream:
        stream.write_table(table)
    expected = contents(gather(write_csv(tmp_path / "data.csv", ROWS)))
    for ending in ("jsonl", "json", "parquet", "arrow"):
        assert contents(gather(tmp_path / f"data.{ending}")) == expected


def test_shards_are_one_split(tmp_path: Path, gather: Gather) -> None:
    for number, part in enumerate((ROWS[:25], ROWS[25:])):
        table = pa.table({"text": [text for text, _ in part], "label": [label for _, label in part]})
        pq.write_table(table, tmp_path / f"train-0000{number}-of-00002.parquet")
    write_csv(tmp_path / "dev.csv", ROWS)
    corpus = gather(tmp_path)
    assert everything(corpus) == {"train": ROWS, "validation": ROWS}
    assert corpus.table("train")["row"].to_pylist() == list(range(1, 61))


@pytest.mark.parametrize("parts", [["train", "val"], [""]])
def test_folders_of_texts_are_labelled_by_their_names(tmp_path: Path, gather: Gather, parts: list[str]) -> None:
    for part in parts:
        for number, (text, label) in enumerate(ROWS):
            put(tmp_path / "data" / part / label / f"{number:02}.txt", text + "\n")
    found = everything(gather(tmp_path / "data"))
    assert sorted(row for rows in found.values() for row in rows) == sorted(ROWS * len(parts))


def test_text_is_kept_byte_for_byte_between_its_ends(tmp_path: Path, gather: Gather) -> None:
    kept = [
        "👩‍👩‍👧 ok 😀",
        "ｆｕｌｌ　ｗｉｄｔｈ，１２３",
        "e\u0301 and é",
        "a\u00a0b\u200bc",
        "tab\there",
        "null",
        "NA",
        "two\nlines",
        '"q"',
    ]
    rows = [(f"  {text}\t\n", "x" if n % 2 else "y") for n, text in enumerate(kept)]
    corpus = gather(split(tmp_path / "data", rows))
    assert [text.encode() for text in texts(corpus)] == [text.encode() for text in kept]


def test_other_columns_can_be_named(tmp_path: Path, gather: Gather) -> None:
    file = write_csv(
        tmp_path / "data.csv", [(n, text, label) for n, (text, label) in enumerate(ROWS)], ("id", "opinion", "stars")
    )
    assert sorted(
        row for rows in everything(gather(file, Classification("opinion", "stars"))).values() for row in rows
    ) == sorted(ROWS)


@pytest.mark.parametrize("labels", [["bad", "good"], {"0": "bad", "1": "good"}, {"good": 1, "bad": 0}])
@pytest.mark.parametrize("written", [("1", "0"), ("good", "bad")])
def test_names_come_from_the_label_file(tmp_path: Path, gather: Gather, labels: Any, written: tuple[str, str]) -> None:
    corpus = gather(split(tmp_path / "data", [("a", written[0]), ("b", written[1])], labels))
    assert pairs(corpus) == [("a", "good"), ("b", "bad")]
    assert corpus.read("labels.json") == ["bad", "good"]


def test_names_come_from_the_settings_in_the_order_given(tmp_path: Path, gather: Gather) -> None:
    corpus = gather(split(tmp_path / "data", [("a", 0), ("b", 1)]), labels=("zebra", "ape"))
    assert pairs(corpus) == [("a", "zebra"), ("b", "ape")]


@pytest.mark.parametrize(
    ("values", "names"), [([1.0, 0.0, 10.0, 9.0], ["0", "1", "9", "10"]), ([True, False], ["false", "true"])]
)
def test_labels_of_parquet_are_plain_numbers_or_truth_values(
    tmp_path: Path, gather: Gather, values: list[Any], names: list[str]
) -> None:
    for name in ("train", "validation"):
        pq.write_table(pa.table({"text": [f"t{v}" for v in values], "label": values}), tmp_path / f"{name}.parquet")
    corpus = gather(tmp_path)
    assert corpus.read("labels.json") == names
    assert [label for _, label in pairs(corpus)] == [str(v).lower().removesuffix(".0") for v in values]


def test_what_is_odd_is_reported_and_said(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    train = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "y"), ("c", "y"), ("  ", "x"), ("", "no such label")]
    write_csv(tmp_path / "data" / "train.csv", train)
    write_csv(tmp_path / "data" / "validation.csv", [("b", "y"), ("v", "x")])
    write_csv(tmp_path / "data" / "test.csv", [("a", "x"), ("c", "x"), ("b", "x")])
    report = gather(tmp_path / "data").read("data.json")
    facts = report["splits"]["train"]
    assert (facts["rows"], facts["repeated"], facts["contradicting"], report["empty"]) == (5, 2, 1, 2)
    assert facts["per_label"] == {"x": 2, "y": 3}
    assert facts["characters"] == {"shortest": 1, "median": 1, "95%": 1, "longest": 1, "mean": 1.0}
    assert report["shared"] == {"train and validation": 1, "train and test": 3, "validation and test": 1}
    assert heard.lines == list(remarks(report)) == [
        "train: 5 rows (x 2, y 3)",
        "train: 2 rows repeat an earlier text",
        "train: 1 texts have more than one label",
        "validation: 2 rows (x 1, y 1)",
        "test: 3 rows (x 3, y 0)",
        "test: has no row of y",
        "train and validation share 1 rows",
        "train and test share 3 rows; scores are flattered",
        "validation and test share 1 rows; scores are flattered",
        "2 rows without text were left out",
    ]  # fmt: skip


def test_a_clean_corpus_gives_no_remarks_but_its_sizes(reviews: Path, gather: Gather, heard: Notebook) -> None:
    gather(reviews)
    assert [line.split(" (")[0] for line in heard.lines] == ["train: 48 rows", "validation: 6 rows", "test: 6 rows"]


def test_of_many_labels_a_few_are_said_and_all_reported(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    corpus = gather(split(tmp_path / "data", [(f"t{n}", f"l{n:02}") for n in range(12)]))
    assert "l07 1, …)" in heard.lines[0] and "l08" not in heard.lines[0]
    assert len(corpus.read("data.json")["splits"]["train"]["per_label"]) == 12


BAD_LABELS = {
    "missing": ([("a", "x"), ("b", "y"), ("c", "")], None, "line 4: no label; fill it in, or set task.invalid=skip"),
    "unknown": (
        [("a", "neg"), ("b", "pos"), ("c", "post")],
        ["neg", "pos"],
        "line 4: label 'post' is not one of neg, pos",
    ),
    "out of range": ([("a", 0), ("b", 1), ("c", 2)], ["neg", "pos"], "line 4: label '2' is not one of"),
    "mixed": ([("a", "neg"), ("b", 1), ("c", 7)], ["neg", "pos"], "partly names and partly numbers"),
    "only one": ([("a", "x"), ("b", "x")], None, "only one label (x)"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_cannot_be_used_are_refused_with_their_file(tmp_path: Path, gather: Gather, case: str) -> None:
    rows, labels, said = BAD_LABELS[case]
    folder = split(tmp_path / "data", rows, labels)
    with refusing(folder, said):
        gather(folder)


def test_a_name_given_twice_in_the_settings_is_laid_to_the_settings(reviews: Path, gather: Gather) -> None:
    with refusing("label 'a' is named twice in corpus.labels"):
        gather(reviews, labels=("a", "b", "a"))


def test_names_that_differ_from_the_label_file_are_refused_with_its_path(tmp_path: Path, gather: Gather) -> None:
    folder = split(tmp_path / "data", [("a", 0), ("b", 1)], ["neg", "pos"])
    with refusing("corpus.labels=pos,neg", folder / "labels.json", "neg,pos"):
        gather(folder, labels=("pos", "neg"))


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl", "data.json"])
@pytest.mark.parametrize("empty", ["without rows", "without text"])
def test_a_source_without_text_is_refused_as_empty(tmp_path: Path, gather: Gather, name: str, empty: str) -> None:
    rows = [] if empty == "without rows" else [{"text": " ", "label": label} for label in "xy"]
    content = {
        "data.csv": "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows),
        "data.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "data.json": json.dumps(rows),
    }[name]
    with refusing(tmp_path / name, "no rows with text to train on", "task.text"):
        gather(put(tmp_path / name, content))


def test_named_labels_do_not_hide_that_there_is_no_text(tmp_path: Path, gather: Gather) -> None:
    with refusing(tmp_path / "data.csv", "no rows with text to train on; check the file and task.text"):
        gather(put(tmp_path / "data.csv", "text,label\n,x\n"), labels=("x", "y"))


def test_a_revision_of_something_on_disk_is_refused(reviews: Path) -> None:
    with refusing("corpus.revision=main", reviews, "is on disk and has no revisions"):
        Source(str(reviews), revision="main").pinned({})


@pytest.mark.parametrize(
    ("name", "remote"),
    [("owner/name", True), ("data.csv", False), ("/a/b", False), ("a/b/c", False), ("data/book.txt", False)],
)
def test_only_a_name_of_two_parts_is_looked_for_on_the_hub(name: str, remote: bool) -> None:
    assert Source(name).remote is remote
