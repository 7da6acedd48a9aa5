"""Sources that hold more than one set of splits, and names that datasets keep in their own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import review_rows, write_csv
from tests.stages.conftest import Gather, pairs, put, refusing


@pytest.fixture
def several(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in ("english", "german"):
        for split in ("train", "validation"):
            write_csv(
                folder / name / f"{split}.csv", [(f"{name} {split} {text}", label) for text, label in review_rows(8)]
            )
    return folder


def test_the_only_folder_of_splits_is_read(several: Path, gather: Gather) -> None:
    put(several / "notes" / "read.me", "x")
    for file in (several / "german").iterdir():
        file.unlink()
    assert pairs(gather(several))[0][0].startswith("english train")


def test_of_several_folders_one_must_be_chosen(several: Path, gather: Gather) -> None:
    with refusing(several, "has several folders of splits: english, german", "corpus.subset=NAME"):
        gather(several)
    assert pairs(gather(several, subset="german"))[0][0].startswith("german train")


def test_a_folder_that_is_not_there_is_refused_with_those_there_are(several: Path, gather: Gather) -> None:
    with refusing("corpus.subset=french", "there are english, german"):
        gather(several, subset="french")


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_label_names_that_datasets_wrote_into_a_file_are_used(tmp_path: Path, gather: Gather, ending: str) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["zebra", "ape"])}
    )
    for split in ("train", "validation"):
        rows = {"text": [f"{split} {n}" for n in range(6)], "label": [n % 2 for n in range(6)]}
        made = datasets.Dataset.from_dict(rows, features=features)
        if ending == "parquet":
            made.to_parquet(tmp_path / "data" / f"{split}.parquet")
        else:
            made.save_to_disk(tmp_path / "saved")
            (tmp_path / "data").mkdir(exist_ok=True)
            next((tmp_path / "saved").glob("*.arrow")).rename(tmp_path / "data" / f"{split}.arrow")
    assert pairs(gather(tmp_path / "data"))[:2] == [("train 0", "zebra"), ("train 1", "ape")]


def test_a_validation_file_without_text_is_refused(tmp_path: Path, gather: Gather) -> None:
    write_csv(tmp_path / "data" / "train.csv", review_rows(8))
    write_csv(tmp_path / "data" / "validation.csv", [("", "positive"), (" ", "negative")])
    with refusing(tmp_path / "data", "the validation file has no row with text"):
        gather(tmp_path / "data")


def test_dropping_duplicates_that_leaves_nothing_is_refused(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        write_csv(tmp_path / "data" / f"{split}.csv", review_rows(8))
    with refusing(tmp_path / "data", "corpus.duplicates=drop leaves no rows to train on"):
        gather(tmp_path / "data", duplicates="drop")


def test_a_spreadsheet_called_csv_is_named_as_one(tmp_path: Path, gather: Gather) -> None:
    (tmp_path / "data.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    with refusing(tmp_path / "data.csv", "a spreadsheet or another zip archive", "save it as CSV"):
        gather(tmp_path / "data.csv")
