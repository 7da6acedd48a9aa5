"""Which files of a source hold which split."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from pipeline import inference
from pipeline.corpora.files import WHOLE, lay
from pipeline.tasks.classification import Classification
from tests.conftest import form_of
from tests.stages.conftest import put, refusing


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        put(folder / name, "x")
    return folder


def named(folder: Path) -> dict[str, list[str]]:
    """Where each split is, relative to the folder."""
    return {part: [f.relative_to(folder).as_posix() for f in files] for part, files in lay(folder).parts.items()}


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "ndjson", "parquet", "arrow", "CSV"])
def test_a_file_of_each_format_is_a_source_that_is_not_split(tmp_path: Path, ending: str) -> None:
    file = put(tmp_path / f"data.{ending}", "x")
    assert lay(file).parts == {WHOLE: (file,)}


LAYOUTS = {
    "three splits": (
        ["train.csv", "validation.csv", "test.csv"],
        {"train": ["train.csv"], "validation": ["validation.csv"], "test": ["test.csv"]},
    ),
    "other names": (["training.csv", "dev.csv"], {"train": ["training.csv"], "validation": ["dev.csv"]}),
    "val": (["train.tsv", "val.tsv"], {"train": ["train.tsv"], "validation": ["val.tsv"]}),
    "valid": (["train.json", "valid.json"], {"train": ["train.json"], "validation": ["valid.json"]}),
    "capitals": (["Train.CSV", "Test.CSV"], {"train": ["Train.CSV"], "test": ["Test.CSV"]}),
    "shards, in order": (
        ["train-00001-of-00002.parquet", "train-00000-of-00002.parquet", "test-00000-of-00001.parquet"],
        {
            "train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
            "test": ["test-00000-of-00001.parquet"],
        },
    ),
    "mixed formats": (["train.jsonl", "test.csv"], {"train": ["train.jsonl"], "test": ["test.csv"]}),
    "folders of texts": (["pos/1.txt", "neg/1.txt"], {WHOLE: ["."]}),
    "split folders of texts": (["train/pos/1.txt", "test/neg/1.txt"], {"train": ["train"], "test": ["test"]}),
    "other things beside": (["train.csv", "README.md", "notes.txt"], {"train": ["train.csv"]}),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_folder_says_by_its_names_which_split_is_where(tmp_path: Path, case: str) -> None:
    files, expected = LAYOUTS[case]
    assert named(make(tmp_path / "data", *files)) == expected


def test_label_names_lie_beside_the_data(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", "train.csv", "labels.json")
    assert lay(folder).labels == folder / "labels.json"
    assert lay(make(tmp_path / "other", "train.csv")).labels is None


def test_label_names_beside_a_single_file_are_found_too(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", "reviews.csv", "labels.json")
    assert lay(folder / "reviews.csv").labels == folder / "labels.json"


@pytest.mark.parametrize(("name", "shown"), [("data.xlsx", ".xlsx"), ("data", "a file without an ending")])
def test_a_file_of_another_format_is_refused_with_those_it_reads(tmp_path: Path, name: str, shown: str) -> None:
    file = put(tmp_path / name, "x")
    with refusing(file, f"cannot read {shown}", ".csv", ".jsonl", ".parquet", "folders of .txt"):
        lay(file)


def test_a_missing_file_is_named_with_the_nearest_one_there_is(tmp_path: Path) -> None:
    there = put(tmp_path / "reviews.csv", "x")
    with refusing(tmp_path / "reveiws.csv", "no such file or folder", f"did you mean {there}?"):
        lay(tmp_path / "reveiws.csv")


ODDITIES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": lambda place: socket(AF_UNIX).bind(str(place)),
    "a link that leads nowhere": lambda place: place.symlink_to("nothing"),
    "a device": lambda place: place.symlink_to(os.devnull),
}


@pytest.mark.parametrize("kind", ODDITIES)
def test_what_is_there_but_no_file_is_called_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    place = Path("odd.csv")
    ODDITIES[kind](place)
    with refusing(f"{place}: {kind}; it wants a file or a folder"):
        lay(place)
    with refusing(f"--file {place}: {kind}; it wants a file"):
        inference.read(form_of(Classification()), place)


def test_a_link_to_itself_is_called_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with refusing("loop.csv: a link that leads nowhere"):
        lay(tmp_path / "loop.csv")


def test_a_folder_where_a_file_of_texts_is_meant_is_called_one(tmp_path: Path) -> None:
    with refusing(f"--file {tmp_path}: a folder; it wants a file"):
        inference.read(form_of(Classification()), tmp_path)


def test_a_missing_folder_above_is_no_reason_to_break(tmp_path: Path) -> None:
    with refusing(tmp_path / "nowhere" / "reviews.csv", "no such file or folder"):
        lay(tmp_path / "nowhere" / "reviews.csv")


@pytest.mark.parametrize(("files", "holds"), [(["a.xlsx", "b.doc"], "a.xlsx, b.doc"), ([], "nothing")])
def test_a_folder_without_labelled_text_is_told_what_it_holds_and_what_is_wanted(
    tmp_path: Path, files: list[str], holds: str
) -> None:
    folder = make(tmp_path / "data", *files)
    with refusing(folder, f"holds {holds}", "train.csv", "LABEL/*.txt"):
        lay(folder)


def test_a_folder_without_a_train_split_is_told_which_splits_it_has(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", "validation.csv", "test.csv")
    with refusing(folder, "no train split; there are validation and test", "add train.csv"):
        lay(folder)


@pytest.mark.parametrize(
    ("files", "split"),
    [
        (["train.csv", "train.jsonl"], "train"),
        (["train.csv", "train-00000-of-00001.parquet"], "train"),
        (["train.csv", "dev.csv", "val.csv"], "validation"),
    ],
)
def test_two_files_for_one_split_are_refused_by_name(tmp_path: Path, files: list[str], split: str) -> None:
    folder = make(tmp_path / "data", *files)
    with refusing(folder, *files[-2:], f"could all be the {split} split", "leave one"):
        lay(folder)


def test_two_folders_of_texts_for_one_split_are_refused_by_name(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", "train/pos/1.txt", "train/neg/1.txt", "val/pos/1.txt", "dev/pos/1.txt")
    with refusing(folder, "val", "dev", "validation"):
        lay(folder)
