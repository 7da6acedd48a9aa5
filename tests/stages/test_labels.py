"""Which number stands for which label."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.corpora.labels import Labels, listed, settle
from pipeline.corpora.values import plain
from tests.conftest import surroundings, write_csv
from tests.stages.conftest import Gather, put, refusing

WHERE = "data.csv, line 5"


def agree(values: Iterable[str], stated: Sequence[str], listed: Sequence[str], place: str = "data") -> Labels:
    return settle(dict.fromkeys(values, WHERE), stated, listed, place)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (1, "1"), (1.0, "1"), ("1", "1"), (0.5, "0.5"), (True, "true"), (False, "false"), (" a b ", "a b"),
     ("null", "null"), ("NA", "NA"), (float("nan"), "")],
)  # fmt: skip
def test_a_label_as_text(value: Any, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["pos", "neg", "pos"], ["neg", "pos"]),
        (["10", "9", "1", "0"], ["0", "1", "9", "10"]),
        (["1", "-1"], ["-1", "1"]),
        (["b", "2", "10", "a"], ["2", "10", "a", "b"]),
        (["true", "false", ""], ["false", "true"]),
        (["好", "差"], ["好", "差"]),
        (["①", "②"], ["①", "②"]),
        (["--1", "x"], ["--1", "x"]),
    ],
)
def test_without_names_the_values_are_the_names_numbers_by_size(values: list[str], names: list[str]) -> None:
    assert agree(values, (), ()).names == names


def test_labels_that_are_the_same_number_have_one_order(tmp_path: Path) -> None:
    code = "from pipeline.corpora.labels import settle; print(settle(dict.fromkeys(['1', '01', '001', '0001']), (), (), '').names)"
    orders = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=surroundings(tmp_path, PYTHONHASHSEED=seed),
            capture_output=True,
            text=True,
        ).stdout
        for seed in "1234"
    }
    assert len(orders) == 1 and "001" in orders.pop()


@pytest.mark.parametrize(("stated", "named"), [(("neg", "pos"), ()), ((), ("neg", "pos")), (("neg", "pos"),) * 2])
@pytest.mark.parametrize("labels", [["pos", "neg"], [1, 0], ["1", "0"], [1.0, 0.0]])
def test_names_and_their_numbers_mean_the_same(
    stated: tuple[str, ...], named: tuple[str, ...], labels: list[Any]
) -> None:
    settled = agree(map(plain, labels), stated, named, "labels.json")
    assert settled.names == ["neg", "pos"]
    assert [settled.number(plain(label)) for label in labels] == [1, 0]


@pytest.mark.parametrize(
    ("values", "stated", "names", "numbers"),
    [
        (["1.0", "0.0"], (), ["0", "1"], [1, 0]),
        (["1.0", "1", "0", "0.00"], (), ["0", "1"], [1, 1, 0, 0]),
        (["1.0", "0.0"], ("neg", "pos"), ["neg", "pos"], [1, 0]),
        (["1", "1.0", "2"], ("2.0", "1.0"), ["2.0", "1.0"], [1, 1, 0]),
        (["True", "true", "FALSE"], (), ["false", "true"], [1, 1, 0]),
        (["true", "false"], ("False", "True"), ["False", "True"], [1, 0]),
        (["1.0", "1.10", "2"], (), ["2", "1.0", "1.10"], [1, 2, 0]),
        (["True", "Fake"], (), ["Fake", "True"], [1, 0]),
    ],
)
def test_a_number_or_a_truth_is_one_label_however_it_is_written_and_other_texts_are_as_they_stand(
    values: list[str], stated: tuple[str, ...], names: list[str], numbers: list[int]
) -> None:
    settled = agree(values, stated, ())
    assert settled.names == names
    assert [settled.number(value) for value in values] == numbers


def test_rows_whose_label_is_written_in_two_ways_are_dealt_and_counted_as_of_one(
    tmp_path: Path, gather: Gather
) -> None:
    rows = [(f"text {n}", ["1", "1.0", "0", "0.0"][n % 4]) for n in range(40)]
    report = gather(write_csv(tmp_path / "data.csv", [*rows, *rows[:1], ("text 0", "1.0")])).read("data.json")
    assert report["labels"] == ["0", "1"]
    assert [facts["contradicting"] for facts in report["splits"].values()] == [0, 0, 0]
    assert report["splits"]["validation"]["per_label"] == {"0": 2, "1": 2}


def test_names_that_are_numbers_keep_the_order_they_are_given_in() -> None:
    settled = agree(["0", "1"], ("1", "0"), ())
    assert [settled.number(plain(label)) for label in (1, 0)] == [0, 1]


def test_truth_values_are_labels() -> None:
    settled = agree(map(plain, [True, False]), (), ())
    assert [settled.number(plain(value)) for value in (False, True)] == [0, 1]


def test_a_name_without_rows_keeps_its_number() -> None:
    assert agree(["c", "a"], ("a", "b", "c"), ()).number("c") == 2


def test_numbers_that_could_be_names_or_indices_are_refused() -> None:
    with refusing("1, 2, 3", "0, 1, 2"):
        agree(["0", "1", "2"], (), ("1", "2", "3"), "labels.json")


def test_names_beside_numbers_are_refused() -> None:
    with refusing("partly names and partly numbers (1, 7, neg)", "write all as names of neg, pos, or all as numbers"):
        agree(["neg", "1", "7"], ("neg", "pos"), ())


def test_names_that_differ_from_the_sources_are_refused_with_both() -> None:
    with refusing("corpus.labels=pos,neg", "data/labels.json, which says neg,pos", "make them equal, or take one away"):
        agree(["pos"], ("pos", "neg"), ("neg", "pos"), "data/labels.json")


@pytest.mark.parametrize(
    ("stated", "named", "place"), [(("a", "b", "a"), (), "corpus.labels"), ((), ("a", "b", "a"), "data/labels.json")]
)
def test_a_name_given_twice_is_refused(stated: tuple[str, ...], named: tuple[str, ...], place: str) -> None:
    with refusing(f"label 'a' is named twice in {place}"):
        agree(["a", "b"], stated, named, "data/labels.json" if named else "")


@pytest.mark.parametrize(("values", "shown"), [(["a", "a", ""], "a"), ([], "none")])
def test_fewer_than_two_labels_are_refused(values: list[str], shown: str) -> None:
    with refusing(f"only one label ({shown})", "nothing to learn", "add rows of another"):
        agree(values, (), ())


def test_a_long_list_of_labels_is_cut_short_in_messages() -> None:
    names = [f"n{n}" for n in range(30)]
    with refusing("n18, n19, …"):
        agree(["n1", "7", "99"], names, ())


def test_a_missing_label_is_refused_with_its_line() -> None:
    with refusing("data.csv, line 5", "no label; fill it in, or take the row out"):
        agree(["a", "b"], (), ()).number(plain(None), WHERE)


def test_an_unknown_label_is_refused_with_line_value_names_and_the_way_out() -> None:
    with refusing("data.csv, line 5", "label 'c' is not one of a, b", "corpus.labels=A,B"):
        agree(["a", "b"], ("a", "b"), ()).number("c", WHERE)


def test_an_unknown_number_is_refused_with_what_the_numbers_mean() -> None:
    with refusing("label '2' is not one of 0, 1 (the numbers of neg, pos)"):
        agree(["0", "1"], ("neg", "pos"), ()).number(plain(2))


@pytest.mark.parametrize(
    "content",
    [["neg", "pos"], {"0": "neg", "1": "pos"}, {"1": "pos", "0": "neg"}, {"neg": 0, "pos": 1}, {"pos": 1, "neg": 0}],
)
def test_a_label_file_is_a_list_or_an_object_of_names_and_numbers(tmp_path: Path, content: Any) -> None:
    assert listed(put(tmp_path / "labels.json", json.dumps(content))) == ["neg", "pos"]


def test_a_label_file_may_have_a_mark_and_ten_numbers_in_order(tmp_path: Path) -> None:
    names = [f"n{n}" for n in range(12)]
    content = json.dumps({str(n): name for n, name in enumerate(names)})
    assert listed(put(tmp_path / "labels.json", content, "utf-8-sig")) == names


def test_no_label_file_gives_no_names() -> None:
    assert listed(None) == []


BAD_FILES = {
    "not JSON": ("[neg", "not JSON"),
    "a number": ("5", "expected a list of label names"),
    "numbers": ("[0, 1]", 'such as ["negative", "positive"]'),
    "an empty name": ('["neg", ""]', "expected a list of label names"),
    "a gap": ('{"0": "neg", "2": "pos"}', "label"),
    "a number twice": ('{"neg": 0, "pos": 0}', "label"),
    "no numbers": ('{"neg": "bad", "pos": "good"}', "expected a list of label names"),
    "lists": ('{"labels": ["neg", "pos"]}', "expected a list of label names"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_label_file_of_another_form_is_refused_by_name(tmp_path: Path, case: str) -> None:
    content, said = BAD_FILES[case]
    file = put(tmp_path / "labels.json", content)
    with refusing(file, said):
        listed(file)


def test_a_label_file_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    file = put(tmp_path / "labels.json", '["schlecht", "schön"]', "cp1252")
    with refusing(file, "not JSON", "utf-8"):
        listed(file)
