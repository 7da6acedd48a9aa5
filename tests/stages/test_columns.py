"""Columns: which of several layouts a source has, under which names, and what is left where nothing is to be learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.corpora.columns import alone, column, found, unlabelled
from pipeline.corpora.forms import Example
from pipeline.corpora.rows import read
from pipeline.tasks import Task
from pipeline.tasks.choice import MultipleChoice
from pipeline.tasks.classification import Classification, PairClassification
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.questions import QuestionAnswering
from pipeline.tasks.regression import PairRegression, Regression
from pipeline.tasks.roles import RoleLabelling
from pipeline.tasks.tagging import PartsOfSpeech, Tagging
from tests.conftest import form_of
from tests.stages.conftest import Gather, laid, put, refusing

WORDS, TAGS = column("words", "words", "tokens"), column("tags", "tags", "labels", target=True)
TEXT, SPANS = column("text", "text"), column("spans", "spans", "labels", target=True)
LAYOUTS = ((WORDS, TAGS), (TEXT, SPANS))


def names(*there: str) -> dict[str, str]:
    return {column.field: name for column, name in found(there, LAYOUTS, "data.csv")}


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["words", "tags"], {"words": "words", "tags": "tags"}),
        (["tokens", "labels", "text"], {"words": "tokens", "tags": "labels"}),
        (["text", "labels"], {"text": "text", "spans": "labels"}),
        (["text", "spans", "words", "tags"], {"words": "words", "tags": "tags"}),
        (["text", "spans", "words"], {"text": "text", "spans": "spans"}),
        (["tokens", "words", "tags"], {"words": "words", "tags": "tags"}),
    ],
)
def test_the_first_layout_that_is_there_whole_is_read(there: list[str], chosen: dict[str, str]) -> None:
    assert names(*there) == chosen


def test_what_the_nearest_layout_lacks_is_asked_for() -> None:
    with refusing("data.csv: no column 'spans'; there are 'text', 'b': say which with task.spans=NAME"):
        names("text", "b")
    with refusing("no column 'tags'; did you mean 'tag'? there are 'words', 'tag'"):
        names("words", "tag")


def test_a_name_that_is_there_twice_is_refused() -> None:
    with refusing("data.csv: two columns are called 'tags'; rename one"):
        names("words", "tags", "tags")


def test_nothing_at_all_is_an_empty_file() -> None:
    with refusing("data.csv: empty; the first line must name the columns, such as words,tags"):
        names("", "")


def test_a_name_that_is_set_is_the_only_one() -> None:
    assert column("text", "text", "sentence").others == ("sentence",)
    assert column("text", "review", "sentence").others == ()


def test_an_optional_column_is_read_where_it_is_and_never_missed() -> None:
    note = column("note", "note", "remark", optional=True)
    layouts = ((WORDS, note, TAGS), (TEXT, note))
    for there in (["words", "tags"], ["words", "remark", "tags"], ["text"], ["text", "note"]):
        assert [name for _, name in found(there, layouts, "data.csv")] == there
    with refusing("data.csv: no column 'tags'; there are 'words', 'note'"):
        found(["words", "note"], layouts, "data.csv")


@pytest.mark.parametrize(
    ("layouts", "field"),
    [
        (((TEXT,),), "text"),
        (((WORDS, TAGS), (column("text", "body", target=True),)), "text"),
        (((WORDS, TAGS), (TEXT,)), ""),
        (LAYOUTS, ""),
    ],
)
def test_a_text_is_enough_where_nothing_else_is_learned(layouts: Any, field: str) -> None:
    assert alone(layouts) == field


BARE: dict[str, tuple[Task, dict[str, Any], dict[str, Any]]] = {
    # A row of nothing but questions, and what of it goes on.
    "a text": (Classification(), {"sentence": " soup "}, {"text": "soup"}),
    "a pair": (PairClassification(), {"premise": "a", "hypothesis": "b"}, {"first": "a", "second": "b"}),
    "a text for labels": (MultiLabel(), {"text": "a"}, {"text": "a"}),
    "a text for a number": (Regression(), {"text": "a"}, {"text": "a"}),
    "a pair for a number": (PairRegression(), {"first": "a", "second": "b"}, {"first": "a", "second": "b"}),
    "words": (Tagging(), {"tokens": ["a", "b"]}, {"text": "a b", "begins": [0, 2], "ends": [1, 3]}),
    "a text beside tokens that are objects": (
        Tagging(), {"text": "a", "tokens": [{"text": "a"}]}, {"text": "a", "begins": [0], "ends": [1]},
    ),
    "a text beside no tokens": (
        Tagging(), {"text": "a", "tokens": [], "ents": []}, {"text": "a", "begins": [0], "ends": [1]},
    ),
    "words beside a text": (
        Tagging(), {"text": "ignored", "tokens": ["a"]}, {"text": "a", "begins": [0], "ends": [1]},
    ),
    "a text for tags": (Tagging(), {"text": "a b."}, {"text": "a b.", "begins": [0, 2, 3], "ends": [1, 3, 4]}),
    "words with a predicate": (
        RoleLabelling(), {"words": ["a", "b"], "predicate": 1},
        {"text": "a b", "begins": [0, 2], "ends": [1, 3], "predicate": 1},
    ),
    "a marked predicate": (
        RoleLabelling(), {"text": "a *b* c"},
        {"text": "a b c", "begins": [0, 2, 4], "ends": [1, 3, 5], "predicate": 1},
    ),
    "a Chinese one": (
        RoleLabelling(), {"text": "我*喂*猫"}, {"text": "我喂猫", "begins": [0, 1, 2], "ends": [1, 2, 3], "predicate": 1},
    ),
    "a question": (
        QuestionAnswering(), {"question": "a", "passage": "b"}, {"question": "a", "context": "b", "answers": []},
    ),
    "choices": (MultipleChoice(), {"question": "a", "options": ["b", "c"]}, {"question": "a", "choices": ["b", "c"]}),
}  # fmt: skip


@pytest.mark.parametrize("case", BARE)
def test_rows_without_what_is_to_be_learned_can_be_read_to_be_answered(tmp_path: Path, case: str) -> None:
    task, row, fields = BARE[case]
    file = laid(tmp_path / "data", [row]) / "train.jsonl"
    (example,) = (e for row in read([file], unlabelled(form_of(task).layouts)) for e in form_of(task).examples(row))
    assert isinstance(example, Example) and example.fields == fields and example.key
    assert not example.target


def test_a_folder_of_texts_can_be_read_to_be_answered(tmp_path: Path) -> None:
    put(tmp_path / "data" / "some" / "1.txt", "soup\n")
    form = form_of(Classification())
    (row,) = read([tmp_path / "data"], unlabelled(form.layouts))
    assert [example.fields for example in form.examples(row)] == [{"text": "soup"}]


def test_of_two_columns_that_could_be_meant_one_must_be_named(tmp_path: Path, gather: Gather) -> None:
    rows = [
        {"tokens": ["Bonn"], "pos_tags": ["NOUN"], "upos": ["PROPN"], "ner_tags": ["B-LOC"]},
        {"tokens": ["in"], "pos_tags": ["ADP"], "upos": ["ADP"], "ner_tags": ["O"]},
    ]
    with refusing("'pos_tags' and 'upos' could all be the tags", "task.tags=NAME"):
        gather(laid(tmp_path / "data", rows), PartsOfSpeech())
    corpus = gather(laid(tmp_path / "data", rows), PartsOfSpeech(tags="pos_tags"))
    assert corpus.read("labels.json") == ["ADP", "NOUN"]
    assert gather(laid(tmp_path / "data", rows), Tagging()).read("labels.json") == ["O", "B-LOC", "I-LOC"]


@pytest.mark.parametrize("task, row", [
    (Tagging(), {"words": ["a", "\ud83d"], "tags": ["O", "O"]}),
    (MultipleChoice(), {"question": "a", "choices": ["b", "\ud83d"], "answer": 0}),
    (Classification(), {"text": "a", "label": "\ud83d"}),
    (MultiLabel(), {"text": "a", "labels": ["\ud83d"]}),
])  # fmt: skip
def test_half_a_character_is_refused_wherever_it_stands(tmp_path: Path, gather: Gather, task: Any, row: Any) -> None:
    put(tmp_path / "data" / "train.jsonl", json.dumps(row) + "\n")
    with refusing(tmp_path / "data" / "train.jsonl", "line 1", "holds half a character"):
        gather(tmp_path / "data", task)
