"""Questions and answers: nested documents, and the forms of answers."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.corpora.squad import answers, flattened
from pipeline.errors import UserError

WHERE = "data/train.jsonl, line 7"
CONTEXT = "In Rome, it rains.  Not in Oslo, and not in Rome 😀 or Bonn."
FORMS = '[{"text": "…", "answer_start": 0}], ["…"] or "…"'

QUESTION = {"id": "q1", "question": "Where?", "answers": [{"text": "Rome", "answer_start": 3}]}
PARAGRAPH = {"context": CONTEXT, "qas": [QUESTION]}
RECORD = {
    "id": "q1",
    "title": "Rain",
    "context": CONTEXT,
    "question": "Where?",
    "answers": [{"text": "Rome", "start": 3}],
}


def test_squad_1_is_flattened() -> None:
    document = {"version": "1.1", "data": [{"title": "Rain", "paragraphs": [PARAGRAPH, PARAGRAPH]}]}
    assert flattened(document, "train.json") == [RECORD, RECORD]


def test_impossible_questions_of_squad_2_have_no_answer() -> None:
    question = {**QUESTION, "is_impossible": True, "plausible_answers": [{"text": "Oslo", "answer_start": 27}]}
    paragraph = {
        "context": CONTEXT,
        "qas": [{**question, "answers": []}, question, {**QUESTION, "is_impossible": False}],
    }
    found = flattened({"data": [{"title": "Rain", "paragraphs": [paragraph]}]}, "train.json")
    assert found is not None
    assert [record["answers"] for record in found] == [[], [], RECORD["answers"]]


@pytest.mark.parametrize("framed", [True, False])
def test_cmrc_in_its_own_form_is_flattened(framed: bool) -> None:
    paragraph = {
        "context_id": "TRAIN_1",
        "context_text": "北京在下雨。",
        "title": "雨",
        "qas": [{"query_id": "TRAIN_1_QUERY_0", "query_text": "哪里？", "answers": ["北京", "在"]}],
    }
    told = [{"text": "北京", "start": None}, {"text": "在", "start": None}]
    expected = {
        "id": "TRAIN_1_QUERY_0",
        "title": "雨",
        "context": "北京在下雨。",
        "question": "哪里？",
        "answers": told,
    }
    assert flattened({"data": [paragraph]} if framed else [paragraph], "train.json") == [expected]
    assert flattened(paragraph, "train.json") == [expected]
    assert answers(told, "北京在下雨。", WHERE) == [("北京", 0), ("在", 2)]


def test_articles_and_paragraphs_without_a_frame_are_flattened() -> None:
    assert flattened([{"title": "Rain", "paragraphs": [PARAGRAPH]}], "train.json") == [RECORD]
    assert flattened([PARAGRAPH], "train.json") == [{**RECORD, "title": ""}]


def test_a_question_without_an_id_is_numbered() -> None:
    bare = {key: value for key, value in QUESTION.items() if key != "id"}
    found = flattened([{"context": CONTEXT, "qas": [bare, bare, {**bare, "id": 7}]}], "train.json")
    assert [record["id"] for record in found or []] == ["1", "2", "7"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        None,
        "text",
        7,
        [RECORD],
        {"data": [RECORD]},
        {"data": []},
        {"version": 1, "rows": [RECORD]},
        [[PARAGRAPH]],
        [{"paragraphs": "none"}],
    ],
)
def test_any_other_document_is_left_to_others(document: Any) -> None:
    assert flattened(document, "train.json") is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            [PARAGRAPH, {"context": CONTEXT}],
            "train.json, paragraph 2: no list 'qas'; correct it, or take the part out",
        ),
        ([PARAGRAPH, None], "train.json, paragraph 2: no text 'context'; correct it, or take the part out"),
        (
            {"data": [{"paragraphs": [PARAGRAPH, {"qas": [QUESTION]}]}]},
            "train.json, article 1, paragraph 2: no text 'context'; correct it, or take the part out",
        ),
        (
            {"data": [{"paragraphs": [PARAGRAPH]}, {"paragraphs": None}]},
            "train.json, article 2: no list 'paragraphs'; correct it, or take the part out",
        ),
        (
            [{"context": CONTEXT, "qas": [QUESTION, {"id": "q2"}]}],
            "train.json, paragraph 1, question 2: no text 'question'; correct it, or take the part out",
        ),
        (
            [{"context": CONTEXT, "qas": [{**QUESTION, "answers": [7]}]}],
            f"train.json, paragraph 1, question 1: the answers are 7; write {FORMS}",
        ),
    ],
)
def test_a_part_that_lacks_something_is_named(document: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        flattened(document, "train.json")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "value",
    [
        [{"text": "Rome", "answer_start": 3}, {"text": "Oslo", "answer_start": 27}],
        [{"text": "Rome", "start": 3}, {"text": "Oslo", "start": None}],
        {"text": ["Rome", "Oslo"], "answer_start": [3, 27]},
        {"text": ["Rome", "Oslo"], "start": [3, -1]},
        {"text": ["Rome", "Oslo"]},
        ["Rome", "Oslo"],
        ["Rome", "", {"text": " Oslo ", "answer_start": 26}],
    ],
)
def test_every_form_gives_the_same_answers(value: Any) -> None:
    assert answers(value, CONTEXT, WHERE) == [("Rome", 3), ("Oslo", 27)]


@pytest.mark.parametrize("value", ["Rome", {"text": "Rome", "answer_start": 3}, {"text": "Rome"}])
def test_one_answer_needs_no_list(value: Any) -> None:
    assert answers(value, CONTEXT, WHERE) == [("Rome", 3)]


@pytest.mark.parametrize(
    "value",
    [None, "", " ", [], float("nan"), {"text": [], "answer_start": []}, {"text": None, "answer_start": None}, [""],
     [{"text": "", "answer_start": -1}]],
)  # fmt: skip
def test_nothing_is_no_answer(value: Any) -> None:
    assert answers(value, CONTEXT, WHERE) == []


@pytest.mark.parametrize(("start", "expected"), [(44, 44), (45, 44), (40, 44), (64, 44), (0, 3), (23, 3), (24, 44)])
def test_a_start_that_is_a_little_off_is_moved_to_the_nearest_place(start: int, expected: int) -> None:
    assert answers([{"text": "Rome", "answer_start": start}], CONTEXT, WHERE) == [("Rome", expected)]


def test_white_space_around_an_answer_does_not_move_it() -> None:
    assert answers([{"text": " Rome\n", "answer_start": 2}], CONTEXT, WHERE) == [("Rome", 3)]


def test_a_place_is_taken_only_where_it_is_the_only_one_if_so_asked() -> None:
    assert answers("Oslo", CONTEXT, WHERE, occurrence=False) == [("Oslo", 27)]
    with pytest.raises(UserError) as caught:
        answers("Rome", CONTEXT, WHERE, occurrence=False)
    assert str(caught.value) == f"{WHERE}: answer 'Rome' is in the context more than once; give its answer_start"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "rome",
            f"answer 'rome' not in context {CONTEXT!r:.60}; correct it, or set task.invalid=skip",
        ),
        (
            [{"text": "Bonn", "answer_start": 3}],
            "answer 'Bonn' should be at 3 of the context, but 'Rome' is; correct it, or set task.invalid=skip",
        ),
        (
            [{"text": "Rome", "answer_start": 100}],
            "answer 'Rome' should be at 100 of the context, which ends at 59; correct it, or set task.invalid=skip",
        ),
        (
            [{"text": "Rome", "answer_start": "3"}],
            "the start of answer 'Rome' is '3', not a whole number; correct it",
        ),
        ([{"text": 7, "answer_start": 3}], f"an answer is 7, not text; write {FORMS}"),
        ({"texts": ["Rome"]}, f"the answers are {{'texts': ['Rome']}}; write {FORMS}"),
        (7, f"the answers are 7; write {FORMS}"),
        (
            {"text": ["Rome", "Oslo"], "answer_start": [3]},
            "2 texts of answers and other starts ([3]); correct it",
        ),
    ],
)
def test_an_answer_that_cannot_be_placed_is_named_with_the_way_out(value: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        answers(value, CONTEXT, WHERE)
    assert str(caught.value) == f"{WHERE}: {message}"
