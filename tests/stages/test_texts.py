"""Texts and pairs of texts with a label, several, or a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Corpus
from pipeline.tasks.classification import Classification, PairClassification
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.regression import PairRegression, Regression
from tests.conftest import Cli, write_csv
from tests.stages.conftest import Gather, assert_refused, laid, pairs, put, refusing, texts


def several(corpus: Corpus, split: str = "train") -> list[list[str]]:
    """The names of the labels of each row."""
    names = corpus.read("labels.json")
    return [[names[number] for number in row] for row in corpus.table(split)["label"].to_pylist()]


LISTS = [["joy", "anger"], [], ["fear"], ["anger"], ["joy", "joy"]]
EXPECTED = [["anger", "joy"], [], ["fear"], ["anger"], ["joy"]]


def records(values: list[Any], name: str = "labels") -> list[dict[str, Any]]:
    return [{"text": f"text {n}", name: value} for n, value in enumerate(values)]


LABELS: dict[str, list[dict[str, Any]]] = {
    "lists": records(LISTS),
    "lists under label": records(LISTS, "label"),
    "lists under tags": records(LISTS, "tags"),
    "one cell": records(["joy|anger", "", "fear", " anger ", "joy|joy|"]),
    "JSON in a cell": records([json.dumps(each) for each in LISTS]),
    "nothing": records([["joy", "anger"], None, ["fear"], ["anger"], ["joy"]]),
    "one without a list": records([["joy", "anger"], [], "fear", "anger", "joy"]),
}


@pytest.mark.parametrize("shape", LABELS)
def test_several_labels_may_be_written_in_every_way(tmp_path: Path, gather: Gather, shape: str) -> None:
    corpus = gather(laid(tmp_path / "data", LABELS[shape]), MultiLabel())
    assert corpus.read("labels.json") == ["anger", "fear", "joy"]
    assert several(corpus) == EXPECTED
    assert corpus.read("data.json")["splits"]["train"]["per_label"] == {"anger": 2, "fear": 1, "joy": 2}


def test_rows_without_any_label_are_kept(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"text {n}", "" if n % 3 else "a|b" if n % 2 else "b") for n in range(120)]
    corpus = gather(write_csv(tmp_path / "data.csv", rows, ("text", "labels")), MultiLabel())
    found = [labels for split in corpus.splits() for labels in several(corpus, split)]
    assert len(found) == 120 and found.count([]) == 80
    assert corpus.read("data.json")["empty"] == 0


@pytest.mark.parametrize("separator", [",", ";", " / "])
def test_another_separator_can_be_named(tmp_path: Path, gather: Gather, separator: str) -> None:
    rows = [("one", separator.join(["a", "b"])), ("two", "b")]
    for split in ("train", "validation"):
        write_csv(tmp_path / f"{split}.csv", rows, ("text", "labels"))
    assert several(gather(tmp_path, MultiLabel(separator=separator))) == [["a", "b"], ["b"]]


@pytest.mark.parametrize("written", [[[2, 0], [], [1]], ["2|0", "", "1"], [["c", "a"], [], ["b"]]])
def test_numbers_mean_the_names_in_the_label_file(tmp_path: Path, gather: Gather, written: list[Any]) -> None:
    corpus = gather(laid(tmp_path / "data", records(written), ["a", "b", "c"]), MultiLabel())
    assert several(corpus) == [["a", "c"], [], ["b"]]


def test_names_that_datasets_wrote_for_lists_are_used(tmp_path: Path, gather: Gather) -> None:
    import datasets

    names = datasets.ClassLabel(names=["zebra", "ape", "cow"])
    features = datasets.Features({"text": datasets.Value("string"), "labels": datasets.List(names)})
    for split in ("train", "validation"):
        made = datasets.Dataset.from_dict({"text": ["a", "b"], "labels": [[0, 2], [1]]}, features=features)
        made.to_parquet(tmp_path / f"{split}.parquet")
    assert several(gather(tmp_path, MultiLabel())) == [["zebra", "cow"], ["ape"]]


def test_combinations_are_dealt_evenly_and_rare_ones_together(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"text {n}", "a" if n % 2 else "b") for n in range(200)]
    rows += [(f"rare {n}", "|".join(sorted({"a", f"c{n % 10}", f"d{n % 7}"}))) for n in range(60)]
    corpus = gather(write_csv(tmp_path / "data.csv", rows, ("text", "labels")), MultiLabel())
    sizes = {split: sum("rare" in text for text in texts(corpus, split)) for split in corpus.splits()}
    assert sizes == {"train": 48, "validation": 6, "test": 6}


BAD_LABELS: dict[str, tuple[Any, str]] = {
    "an object": ({"a": 1}, "column 'labels' holds an object ({'a': 1}), not a list of labels; name the column of the labels"),
    "lists of lists": ([["a"]], "column 'labels' holds a list ([['a']]), not a list of labels"),
    "a list as Python writes it": ("['a', 'b']", "holds \"['a', 'b']\", a list that is not JSON; write it as [\"a\", \"b\"], or as a|b"),
    "a list as numpy writes it": ("['a' 'b']", "a list that is not JSON"),
    "0 or 1 of every label": ([0, 1, 1], "holds [0, 1, 1], which says 0 or 1 of every label; write which labels there are"),
    "the same in other numbers": ([1.0, 0.0, 0.0], "which says 0 or 1 of every label"),
    "the same in a cell": ("[true, false, false]", "which says 0 or 1 of every label"),
    "an unknown one": (["z"], "label 'z' is not one of a, b; correct it, or name all labels with corpus.labels=A,B"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_are_none_are_refused_with_their_line(tmp_path: Path, gather: Gather, case: str) -> None:
    value, said = BAD_LABELS[case]
    folder = laid(tmp_path / "data", records([["a"], ["b"], value]))
    with refusing(folder / "train.jsonl", ", line 3: ", said):
        gather(folder, MultiLabel(), labels=("a", "b"))


PAIRS = [("first", "second"), ("sentence1", "sentence2"), ("text1", "text2"), ("premise", "hypothesis"),
         ("question1", "question2"), ("text_a", "text_b")]  # fmt: skip


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
@pytest.mark.parametrize("label", ["label", "class", "category"])
def test_pairs_are_found_under_the_names_that_are_common(
    tmp_path: Path, gather: Gather, names: tuple[str, str], label: str
) -> None:
    for split in ("train", "validation"):
        write_csv(tmp_path / f"{split}.csv", [(" a ", "b", "x"), ("c", "d", "y")], (*names, label))
    table = gather(tmp_path, PairClassification()).table("train").to_pydict()
    assert (table["first"], table["second"], table["label"]) == (["a", "c"], ["b", "d"], [0, 1])


@pytest.mark.parametrize("name", ["sentence", "content", "review", "message"])
def test_a_text_is_found_under_the_names_that_are_common(tmp_path: Path, gather: Gather, name: str) -> None:
    for split in ("train", "validation"):
        write_csv(tmp_path / f"{split}.csv", [("a", "x"), ("b", "y")], (name, "class"))
    assert pairs(gather(tmp_path)) == [("a", "x"), ("b", "y")]


def test_a_column_that_is_named_has_no_other_name(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", [{"premise": "a", "hypothesis": "b", "label": "x"}])
    with refusing("no column 'one'", "task.first=NAME", "there are 'premise', 'hypothesis', 'label'"):
        gather(folder, PairClassification(first="one"))


def test_the_usual_name_goes_before_others(tmp_path: Path, gather: Gather) -> None:
    rows = [{"sentence": "no", "text": "yes", "category": "no", "label": label} for label in "xy"]
    assert pairs(gather(laid(tmp_path / "data", rows))) == [("yes", "x"), ("yes", "y")]


def test_pairs_are_the_same_only_if_both_texts_are(tmp_path: Path, gather: Gather) -> None:
    rows = [{"first": a, "second": b, "label": y} for a, b, y in ("abx", "acy", "bax", "aby")]
    facts = gather(laid(tmp_path / "data", rows), PairClassification()).read("data.json")["splits"]["train"]
    assert (facts["rows"], facts["repeated"], facts["contradicting"]) == (4, 1, 1)


def test_a_pair_with_an_empty_side_is_left_out(tmp_path: Path, gather: Gather) -> None:
    rows = [{"first": a, "second": b, "label": y} for a, b, y in (*("abx", "acy"), ("a", " ", "x"), ("", "a", "?"))]
    report = gather(laid(tmp_path / "data", rows), PairClassification()).read("data.json")
    assert report["splits"]["train"]["rows"] == 2 and report["empty"] == 4


@pytest.mark.parametrize("name", ["score", "stars", "rating", "similarity", "similarity_score", "label", "value"])
@pytest.mark.parametrize("written", ["text", "numbers"])
def test_numbers_are_read_under_the_names_that_are_common(
    tmp_path: Path, gather: Gather, name: str, written: str
) -> None:
    numbers: list[Any] = [4.5, -1, 3, 1e3]
    values = numbers if written == "numbers" else [" 4.5", "-1", "3", "1e3"]
    corpus = gather(laid(tmp_path / "data", records(values, name)), Regression())
    assert corpus.table("train")["label"].to_pylist() == numbers
    assert str(corpus.table("train").schema.field("label").type) == "float"
    facts = corpus.read("data.json")["splits"]["train"]
    assert facts["numbers"] == {"lowest": -1.0, "mean": 251.625, "highest": 1000.0} and facts["per_label"] == {}
    assert corpus.read("labels.json") == ["score"]


def test_numbers_of_pairs_are_read(tmp_path: Path, gather: Gather) -> None:
    rows = [{"sentence1": "a", "sentence2": "b", "similarity_score": 0.25}]
    table = gather(laid(tmp_path / "data", rows), PairRegression()).table("train").to_pylist()
    assert table == [{"first": "a", "second": "b", "label": 0.25, "row": 1}]


BAD_NUMBERS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "no number; fill it in, or set task.invalid=skip"),
    "an empty cell": ("", "no number; fill it in, or set task.invalid=skip"),
    "a blank cell": (" ", "no number; fill it in, or set task.invalid=skip"),
    "a word": ("many", "column 'score' holds text ('many'), not a number; name the column of the score with task.score=NAME"),
    "a comma": ("4,5", "column 'score' holds text ('4,5'), not a number"),
    "true": (True, "column 'score' holds true or false (True), not a number"),
    "a list": ([1], "column 'score' holds a list ([1]), not a number"),
    "infinity": ("inf", "column 'score' holds text ('inf'), not a number"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_NUMBERS)
def test_what_is_no_number_is_refused_with_its_line(tmp_path: Path, gather: Gather, case: str) -> None:
    value, said = BAD_NUMBERS[case]
    folder = laid(tmp_path / "data", records([1, value], "score"))
    with refusing(folder / "train.jsonl", f", line 2: {said}"):
        gather(folder, Regression())


def test_the_missing_number_of_parquet_is_none(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        pq.write_table(pa.table({"text": ["a", "b"], "score": [1.0, np.nan]}), tmp_path / f"{split}.parquet")
    with refusing(tmp_path / "train.parquet", "row 2: no number; fill it in, or set task.invalid=skip"):
        gather(tmp_path, Regression())


def test_folders_of_texts_that_are_no_numbers_are_refused(tmp_path: Path, gather: Gather) -> None:
    for label in ("good", "bad"):
        put(tmp_path / "data" / label / "1.txt", "text")
    with refusing(tmp_path / "data" / "bad" / "1.txt", "holds text ('bad'), not a number"):
        gather(tmp_path / "data", Regression())
    for label in ("1", "5"):
        put(tmp_path / "stars" / "train" / label / "1.txt", f"text {label}")
        put(tmp_path / "stars" / "test" / label / "1.txt", f"text {label}")
    corpus = gather(tmp_path / "stars", Regression(), validation=0.5)
    assert corpus.table("test")["label"].to_pylist() == [1.0, 5.0]


def test_folders_of_texts_are_no_pairs(tmp_path: Path, gather: Gather) -> None:
    put(tmp_path / "data" / "pos" / "1.txt", "text")
    with refusing(
        "holds folders of texts, a folder a label, but this task wants first, second, label; give it .csv or .jsonl"
    ):
        gather(tmp_path / "data", PairClassification())


def test_words_and_tags_are_no_labelled_texts(tmp_path: Path, gather: Gather) -> None:
    file = put(tmp_path / "data.conll", "a O\n")
    with refusing(f"{file}: holds words and tags, but this task wants text,label; give it .csv or .jsonl with these"):
        gather(file)


def test_stated_labels_make_no_sense_for_numbers(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", records([1, 2], "score"))
    with refusing("corpus.labels=a,b: this task learns a number, not labels; leave it out"):
        gather(folder, Regression(), labels=("a", "b"))


def test_a_label_to_be_found_must_be_there(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", records(["ham", "spam"], "label"))
    assert gather(folder, Classification(positive="spam")).read("labels.json") == ["ham", "spam"]
    with refusing("task.positive=spm: no such label; there are ham, spam"):
        gather(folder, Classification(positive="spm"))
    for several in (("junk", "spam"), "junk, spam"):  # as the command line, show and cards write it
        assert gather(folder, Classification(positive=several)).read("labels.json") == ["ham", "spam"]
    with refusing("task.positive=junk or spm: no such label; there are ham, spam"):
        gather(folder, Classification(positive=("junk", "spm")))
    odd = laid(tmp_path / "odd", records(["ham", "spam, or so"], "label"))
    assert gather(odd, Classification(positive="spam, or so")).read("labels.json") == ["ham", "spam, or so"]
    three = laid(tmp_path / "three", records(["a", "b", "c"], "label"))
    with refusing("task.positive=a: there are 3 labels; it is for two"):
        gather(three, Classification(positive="a"))


SETTINGS = {
    "one column for text and labels": (lambda: MultiLabel(text="x", labels="x"), "text and labels are both the column 'x'"),
    "no separator": (lambda: MultiLabel(separator=""), "separator is empty; name what stands between labels in one cell"),
    "one column for text and score": (lambda: Regression(text="x", score="x"), "text and score are both the column 'x'"),
    "one column for two texts": (
        lambda: PairClassification(first="x", second="x"), "first, second and label must be three columns",
    ),
    "one column for a text and the score": (
        lambda: PairRegression(first="x", score="x"), "first, second and score must be three columns",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_make_no_sense_are_refused(case: str) -> None:
    make, said = SETTINGS[case]
    with refusing(said):
        make()


MISTAKES: dict[str, tuple[str, list[dict[str, Any]], list[str], str]] = {
    "labels": ("emotions", records([["a"], {"b": 1}]), [], "line 2: column 'labels' holds an object"),
    "a number": ("rating", records([1, "x"], "stars"), [], "line 2: column 'stars' holds text ('x'), not a number"),
    "a pair": ("nli", [{"premise": "a", "label": "x"}], [], "no column 'second'"),
    "a setting": ("similarity", records([1]), ["task.first=second"], "first, second and score must be three columns"),
    "a mistyped label": ("spam", records(["ham", "spam"], "label"), ["task.positive=spm"], "task.positive=spm"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_ends_a_run_in_one_line(cli: Cli, tmp_path: Path, case: str) -> None:
    recipe, rows, settings, said = MISTAKES[case]
    folder = laid(tmp_path / "data", rows)
    done = cli("run", recipe, f"corpus.source={folder}", *settings, "--until", "collect")
    assert_refused(done, said)
    assert len(done.stderr.splitlines()) == 1
