"""Which row comes into which split."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from pipeline.corpora.dealing import divide
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.corpora.source import Source
from pipeline.corpora.survey import Part, describe
from pipeline.tasks.classification import Classification
from tests.conftest import form_of, review_rows, write_csv
from tests.stages.conftest import Gather, everything, pairs, put, refusing, texts

ROWS = review_rows(400)


def lay_out(folder: Path, **splits: list[tuple[str, str]]) -> Path:
    for split, rows in splits.items():
        write_csv(folder / f"{split}.csv", rows)
    return folder


def where(found: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
    """The split of each text."""
    return {text: split for split, rows in found.items() for text, _ in rows}


def balance(rows: list[tuple[str, str]]) -> Counter[str]:
    return Counter(label for _, label in rows)


def test_one_file_is_dealt_to_three_splits_in_the_shares_asked_for(tmp_path: Path, gather: Gather) -> None:
    file = write_csv(tmp_path / "data.csv", ROWS)
    found = everything(gather(file))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 320, "validation": 40, "test": 40}
    assert sorted(row for rows in found.values() for row in rows) == sorted(ROWS)
    sizes = {split: len(rows) for split, rows in everything(gather(file, validation=0.2, test=0.05)).items()}
    assert sizes == {"train": 300, "validation": 80, "test": 20}


def test_every_label_is_dealt_in_the_same_shares(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"text {n}", "rare" if n % 10 == 0 else "common") for n in range(400)]
    found = everything(gather(write_csv(tmp_path / "data.csv", sorted(rows, key=lambda row: row[1]))))
    assert balance(found["train"]) == {"rare": 32, "common": 288}
    assert balance(found["validation"]) == balance(found["test"]) == {"rare": 4, "common": 36}


def test_rows_keep_their_old_order_and_know_where_they_stood(tmp_path: Path, gather: Gather) -> None:
    corpus = gather(write_csv(tmp_path / "data.csv", ROWS))
    for split in corpus.splits():
        table = corpus.table(split).to_pydict()
        assert table["row"] == sorted(table["row"])
        assert table["text"] == [ROWS[number - 1][0] for number in table["row"]]


def test_the_same_rows_are_split_the_same_way_and_another_seed_splits_otherwise(tmp_path: Path, gather: Gather) -> None:
    file = write_csv(tmp_path / "data.csv", ROWS)
    assert where(everything(gather(file))) == where(everything(gather(file)))
    assert where(everything(gather(file))) != where(everything(gather(file, seed=18)))


def test_the_order_of_rows_does_not_decide_their_split(tmp_path: Path, gather: Gather) -> None:
    forth = gather(write_csv(tmp_path / "forth.csv", ROWS))
    back = gather(write_csv(tmp_path / "back.csv", ROWS[::-1]))
    assert where(everything(forth)) == where(everything(back))


@pytest.mark.parametrize("place", [0, 200, 400])
def test_adding_a_row_moves_hardly_any_other(tmp_path: Path, gather: Gather, place: int) -> None:
    before = where(everything(gather(write_csv(tmp_path / "data.csv", ROWS))))
    more = [*ROWS[:place], ("one more lovely text", "positive"), *ROWS[place:]]
    after = where(everything(gather(write_csv(tmp_path / "more.csv", more))))
    moved = [text for text, split in before.items() if after[text] != split]
    assert len(moved) <= 2
    assert len(after) == len(before) + 1


def test_equal_texts_never_come_into_two_splits(tmp_path: Path, gather: Gather) -> None:
    rows = [(f" text {n % 50} ", "yes" if n % 3 else "no") for n in range(300)]
    found = everything(gather(write_csv(tmp_path / "data.csv", rows), validation=0.3, test=0.3))
    train, validation, test = ({text for text, _ in found[split]} for split in ("train", "validation", "test"))
    assert train and validation and test
    assert not train & validation and not train & test and not validation & test
    assert sum(map(len, found.values())) == 300


def test_a_text_that_is_repeated_often_does_not_fill_a_split(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"good {n}", "yes") for n in range(50)] + [(f"bad {n}", "no") for n in range(50)]
    for seed in range(5):
        found = everything(gather(write_csv(tmp_path / "data.csv", rows + [("fine", "yes")] * 100), seed=seed))
        assert balance(found["train"]) == {"yes": 120, "no": 40}
        assert balance(found["validation"]) == balance(found["test"]) == {"yes": 15, "no": 5}


def test_a_label_of_one_text_alone_stays_in_train(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"bad {n}", "no") for n in range(50)] + [("fine", "yes")] * 50
    found = everything(gather(write_csv(tmp_path / "data.csv", rows)))
    assert balance(found["train"]) == {"yes": 50, "no": 40}


def test_what_is_repeated_goes_into_a_split_that_would_have_no_row(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"text {n % 10}", "yes" if n % 10 < 5 else "no") for n in range(100)]
    found = everything(gather(write_csv(tmp_path / "data.csv", rows)))
    assert balance(found["validation"]) == {"yes": 10, "no": 10}
    assert balance(found["train"]) == {"yes": 40, "no": 40}


def test_a_train_split_alone_gives_validation_rows_and_no_test(tmp_path: Path, gather: Gather) -> None:
    found = everything(gather(lay_out(tmp_path / "data", train=ROWS)))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 360, "validation": 40}


def test_given_splits_are_taken_as_they_are(tmp_path: Path, gather: Gather) -> None:
    splits = {"train": ROWS[:300], "validation": ROWS[300:350], "test": ROWS[350:]}
    corpus = gather(lay_out(tmp_path / "data", **splits))
    assert corpus.splits() == ["train", "validation", "test"]
    assert everything(corpus) == splits


def test_a_test_split_stays_whole_where_validation_rows_are_dealt(tmp_path: Path, gather: Gather) -> None:
    found = everything(gather(lay_out(tmp_path / "data", train=ROWS[:300], test=ROWS[300:])))
    assert found["test"] == ROWS[300:]
    assert sorted(found["train"] + found["validation"]) == sorted(ROWS[:300])
    assert balance(found["validation"]) == {"positive": 15, "negative": 15}


def test_no_test_share_gives_no_test_split(tmp_path: Path, gather: Gather) -> None:
    assert gather(write_csv(tmp_path / "data.csv", ROWS), test=0).splits() == ["train", "validation"]


@pytest.mark.parametrize("by_label", [False, True], ids=["mixed", "sorted by label"])
@pytest.mark.parametrize("split", [True, False], ids=["split", "whole"])
def test_a_limit_takes_rows_of_every_label(tmp_path: Path, gather: Gather, by_label: bool, split: bool) -> None:
    rows = sorted(ROWS, key=lambda row: row[1]) if by_label else ROWS
    if split:
        source = lay_out(tmp_path / "data", train=rows, validation=rows[::2] + rows[1::2])
    else:
        source = write_csv(tmp_path / "data.csv", rows)
    found = everything(gather(source, limit=20))
    assert [balance(some) for some in found.values()] == [{"positive": 10, "negative": 10}] * len(found)
    assert [text for text, _ in found["train"]] == [text for text, _ in rows if text in dict(found["train"])]


def test_a_limit_keeps_the_proportions_and_more_than_there_is_takes_all(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"text {n}", "rare" if n % 5 == 0 else "common") for n in range(200)]
    source = lay_out(tmp_path / "data", train=rows, validation=rows)
    assert balance(pairs(gather(source, limit=50))) == {"common": 40, "rare": 10}
    assert len(texts(gather(source, limit=1000))) == 200


def test_repeats_stay_unless_told_otherwise(tmp_path: Path, gather: Gather) -> None:
    splits = {
        "train": [("a", "x"), ("b", "y"), ("a", "x"), (" a ", "y"), ("in validation", "x"), ("in test", "y")],
        "validation": [("in validation", "x"), ("in validation", "x"), ("v", "y")],
        "test": [("in test", "y"), ("w", "x")],
    }
    source = lay_out(tmp_path / "data", **splits)
    assert len(texts(gather(source))) == 6
    dropped = everything(gather(source, duplicates="drop"))
    assert dropped == {**splits, "train": [("a", "x"), ("b", "y")]}


def test_dropping_repeats_works_on_a_file_that_is_not_split(tmp_path: Path, gather: Gather) -> None:
    corpus = gather(write_csv(tmp_path / "data.csv", ROWS + ROWS), duplicates="drop")
    train = texts(corpus)
    assert len(train) == len(set(train)) == 320


BAD_SETTINGS = [
    ({"source": ""}, "source is empty; name a file, a folder or a Hub dataset"),
    ({"validation": 1.0}, "validation is a share of the rows, from 0 to below 1"),
    ({"test": -0.1}, "test is a share of the rows, from 0 to below 1"),
    ({"validation": 0.5, "test": 0.5}, "validation and test leave no rows to train on"),
    ({"limit": -1}, "limit is a number of rows, or 0 for all"),
]


@pytest.mark.parametrize(("settings", "said"), BAD_SETTINGS)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with refusing(said):
        Source(**{"source": "data.csv", **settings})


def test_nothing_left_to_train_on_is_refused(tmp_path: Path, gather: Gather) -> None:
    source = lay_out(tmp_path / "data", train=[("a", "x"), ("b", "y")], validation=[("a", "x"), ("b", "y")])
    with refusing(source, "train", "duplicates"):
        gather(source, duplicates="drop")


def test_no_rows_to_validate_on_is_refused_with_both_ways_out(tmp_path: Path, gather: Gather) -> None:
    source = lay_out(tmp_path / "data", train=ROWS)
    with refusing(source, "no rows to validate on", "add a validation file", "corpus.validation"):
        gather(source, validation=0)


def test_too_few_rows_for_the_share_are_not_answered_with_that_very_share(tmp_path: Path, gather: Gather) -> None:
    source = put(tmp_path / "data.csv", "text,label\na,x\nb,y\nc,x\nd,y\n")
    with refusing(source, "no rows to validate on", "corpus.validation"):
        gather(source)
    gather(source, validation=0.3)
    with pytest.raises(ValueError, match=r"^(?!.*such as 0\.1)"):
        gather(source, validation=0.1)


def test_a_survey_keeps_few_bytes_of_a_row() -> None:
    part, count = Part(), 40_000
    fields = ({"text": f"text {n}", "label": "xy"[n % 2]} for n in range(1, count + 1))
    rows = (Row(n, Path("data.csv"), n, each, {}) for n, each in enumerate(fields, 1))
    part.see(rows, form_of(Classification()))
    part.settle(Labels(["x", "y"], indices=False))
    tracemalloc.start()
    dealt = divide(part, [("validation", 0.1), ("test", 0.1)], seed=17)
    describe({split: (part, found) for split, found in dealt.items()}, ["x", "y"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most / count < 100


def test_a_sample_has_rare_combinations_of_labels_in_their_share(tmp_path: Path, gather: Gather) -> None:
    from pipeline.tasks.multilabel import MultiLabel

    rows = [{"text": f"row {n}", "labels": [["a"], ["b"], ["c", f"x{n % 30}"]][n % 3]} for n in range(900)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.jsonl", lines)
    counts = gather(tmp_path / "data", MultiLabel(), limit=90).read("data.json")["splits"]["train"]["per_label"]
    assert counts["a"] == counts["b"] == counts["c"] == 30
