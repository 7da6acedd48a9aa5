"""Questions with a passage that answers them, and questions with choices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Corpus
from pipeline.errors import UserError
from pipeline.tasks.choice import MultipleChoice
from pipeline.tasks.questions import QuestionAnswering
from tests.conftest import Cli, write_csv
from tests.stages.conftest import Gather, Notebook, assert_refused, laid, put, refusing

CONTEXT = "Anna fed the cat 😀 in Rome, and a dog in Bonn."
WHO = {"text": "Anna", "answer_start": 0}
WHERE = {"text": "in Rome", "answer_start": CONTEXT.index("in Rome")}
EXPECTED = [("Who fed it?", ["Anna"], [0]), ("Where?", ["in Rome"], [19]), ("Why?", [], [])]


def told(corpus: Corpus, split: str = "train") -> list[tuple[str, list[str], list[int]]]:
    rows = corpus.table(split).to_pylist()
    for row in rows:
        for text, start in zip(row["answers"], row["label"], strict=True):
            assert row["context"][start : start + len(text)] == text
    return [(row["question"], row["answers"], row["label"]) for row in rows]


def nested(*questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    return {
        "version": "v2.0",
        "data": [{"title": "Pets", "paragraphs": [{"context": context, "qas": list(questions)}]}],
    }


def asked(question: str, *answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": question, "question": question, "answers": list(answers), **more}


SQUAD1 = nested(asked("Who fed it?", WHO), asked("Where?", WHERE), asked("Why?"))
SQUAD2 = nested(
    asked("Who fed it?", WHO, is_impossible=False), asked("Where?", WHERE, is_impossible=False),
    asked("Why?", is_impossible=True, plausible_answers=[WHO]),
)  # fmt: skip
CMRC = [{"context_id": "1", "context_text": CONTEXT, "title": "Pets", "qas": [
    {"query_id": str(n), "query_text": question, "answers": answers} for n, (question, answers, _) in enumerate(EXPECTED)
]}]  # fmt: skip

DOCUMENTS = {"SQuAD 1": SQUAD1, "SQuAD 2": SQUAD2, "CMRC 2018": CMRC}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_nested_documents_are_read(tmp_path: Path, gather: Gather, case: str) -> None:
    for split in ("train", "validation"):
        put(tmp_path / f"{split}.json", json.dumps(DOCUMENTS[case], ensure_ascii=False))
    corpus = gather(tmp_path, QuestionAnswering())
    assert told(corpus) == told(corpus, "validation") == EXPECTED
    assert corpus.read("labels.json") == ["start", "end"]
    assert corpus.read("data.json")["splits"]["train"]["per_label"] == {"answer": 2, "no answer": 1}


def flat(given: list[Any], **names: str) -> list[dict[str, Any]]:
    """A record for each of the questions."""
    fields = ("question", "context", "answers")
    return [
        {names.get(field, field): value for field, value in zip(fields, (question, CONTEXT, answer), strict=True)}
        for (question, *_), answer in zip(EXPECTED, given, strict=True)
    ]


OBJECTS = [[WHO], [WHERE], []]
FLAT: dict[str, list[dict[str, Any]]] = {
    "objects": flat(OBJECTS),
    "one object": flat([WHO, WHERE, None]),
    "other names": flat(OBJECTS, question="query", context="passage", answers="answer"),
    "paragraph": flat(OBJECTS, context="paragraph"),
    "lists": flat([{"text": ["Anna"], "answer_start": [0]}, {"text": ["in Rome"], "answer_start": [19]},
                   {"text": [], "answer_start": []}]),
    "texts": flat([["Anna"], ["in Rome"], []]),
    "one text": flat(["Anna", "in Rome", ""]),
    "another way to count spaces": flat([[WHO], [{"text": " in Rome ", "answer_start": 20}], []]),
}  # fmt: skip


@pytest.mark.parametrize("shape", FLAT)
def test_flat_records_are_read(tmp_path: Path, gather: Gather, shape: str) -> None:
    assert told(gather(laid(tmp_path / "data", FLAT[shape]), QuestionAnswering())) == EXPECTED


def test_where_every_question_has_an_answer_nothing_is_said_to_be_missing(
    tmp_path: Path, gather: Gather, heard: Notebook
) -> None:
    corpus = gather(laid(tmp_path / "data", FLAT["objects"][:2]), QuestionAnswering())
    assert corpus.read("data.json")["splits"]["train"]["per_label"] == {"answer": 2}
    assert not [line for line in heard.lines if "no answer" in line]


def test_flat_parquet_is_read(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        pq.write_table(pa.Table.from_pylist(FLAT["lists"]), tmp_path / f"{split}.parquet")
    assert told(gather(tmp_path, QuestionAnswering())) == EXPECTED


def test_a_table_with_the_text_of_the_answer_is_read(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        rows = [(question, CONTEXT, (answers or [""])[0]) for question, answers, _ in EXPECTED]
        write_csv(tmp_path / f"{split}.csv", rows, ("question", "context", "answer"))
    assert told(gather(tmp_path, QuestionAnswering())) == EXPECTED


def test_the_passage_keeps_its_ends_for_answers_count_from_there(tmp_path: Path, gather: Gather) -> None:
    row = {"question": " Who? ", "context": "  Anna  ", "answers": [{"text": "Anna", "answer_start": 2}]}
    corpus = gather(laid(tmp_path / "data", [row]), QuestionAnswering())
    assert corpus.table("train")["context"].to_pylist() == ["  Anna  "]
    assert told(corpus) == [("Who?", ["Anna"], [2])]


def test_questions_of_one_passage_never_come_into_two_splits(tmp_path: Path, gather: Gather) -> None:
    rows = [
        {"question": f"q{n}", "context": f"passage {n % 40}", "answers": ["passage"] if n % 3 else []}
        for n in range(400)
    ]
    laid(tmp_path / "data", rows)
    corpus = gather(tmp_path / "data" / "train.jsonl", QuestionAnswering(), validation=0.2, test=0.2)
    passages = [set(corpus.table(split)["context"].to_pylist()) for split in ("train", "validation", "test")]
    assert all(passages) and sum(map(len, passages)) == 40 == len(set.union(*passages))
    assert sum(corpus.table(split).num_rows for split in corpus.splits()) == 400


def test_one_passage_alone_cannot_be_dealt(tmp_path: Path, gather: Gather) -> None:
    rows = [{"question": f"q{n}", "context": CONTEXT, "answers": ["Anna"]} for n in range(30)]
    file = laid(tmp_path / "data", rows) / "train.jsonl"
    with pytest.raises(UserError) as caught:
        gather(file, QuestionAnswering())
    assert "30 rows to train on and no rows to validate on: there are too few to deal out" in str(caught.value)
    assert "where what has the same text stays together; add rows" in str(caught.value)
    assert "task.label" not in str(caught.value)


BAD: dict[str, tuple[Any, str]] = {
    "not in the passage": (["Oslo"], "answer 'Oslo' not in context 'Anna fed"),
    "elsewhere": ([{"text": "Anna", "answer_start": 40}], "answer 'Anna' should be at 40 of the context, but ' Bon' is"),
    "a number": ([5], "the answers are 5; write"),
    "an object without text": ({"answer": "Anna"}, "the answers are {'answer': 'Anna'}; write"),
    "a start that is no number": ([{"text": "Anna", "answer_start": "0"}], "the start of answer 'Anna' is '0', not a whole"),
    "other lists": ({"text": ["Anna"], "answer_start": [0, 1]}, "1 texts of answers and other starts ([0, 1])"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_answer_is_refused_with_its_line_or_skipped(
    tmp_path: Path, gather: Gather, heard: Notebook, case: str
) -> None:
    value, said = BAD[case]
    good = FLAT["objects"]
    folder = laid(tmp_path / "data", [good[0], {**good[0], "answers": value}, *good[1:]])
    with refusing(folder / "train.jsonl", ", line 2: ", said):
        gather(folder, QuestionAnswering())
    corpus = gather(folder, QuestionAnswering(invalid="skip"))
    assert told(corpus) == EXPECTED
    assert corpus.table("train")["row"].to_pylist() == [1, 3, 4]
    assert len(corpus.read("data.json")["skipped"]) == 2 and "2 bad rows were left out" in heard.lines[-1]


def test_answers_that_stand_beside_their_start_are_told(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    rows = [{"question": f"Who {n}?", "context": CONTEXT, "answers": [WHO]} for n in range(3)]
    gather(laid(tmp_path / "right", rows), QuestionAnswering())
    assert not [line for line in heard.lines if "beside" in line]
    rows[1]["answers"] = [{**WHERE, "answer_start": WHERE["answer_start"] + 3}]
    corpus = gather(laid(tmp_path / "beside", rows), QuestionAnswering())
    assert ("Who 1?", ["in Rome"], [19]) in told(corpus)
    (line,) = [line for line in heard.lines if "beside" in line]
    assert line.startswith("answers stand up to 20 characters beside their answer_start in ")
    assert line.endswith("line 2: they are taken where they stand")


def test_an_answer_of_a_nested_document_is_told_with_its_row(tmp_path: Path, gather: Gather) -> None:
    document = nested(asked("Who?", WHO), asked("Where?", {"text": "Oslo", "answer_start": 0}))
    file = put(tmp_path / "data.json", json.dumps(document))
    with refusing(f"{file}, row 2: answer 'Oslo' not in context"):
        gather(file, QuestionAnswering())


def test_a_nested_document_without_contexts_is_refused(tmp_path: Path, gather: Gather) -> None:
    document = nested(asked("Who?", WHO))
    del document["data"][0]["paragraphs"][0]["context"]
    file = put(tmp_path / "data.json", json.dumps(document))
    with refusing(f"{file}, article 1, paragraph 1: no text 'context'; correct it, or take the part out"):
        gather(file, QuestionAnswering())


def test_questions_without_any_answer_are_nothing_to_learn_from(tmp_path: Path, gather: Gather) -> None:
    with refusing("no question has an answer, so there is nothing to learn; check task.answers"):
        gather(laid(tmp_path / "data", flat([[], [], []])), QuestionAnswering())


def test_a_question_that_is_no_text_is_refused(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", [{"question": 5, "context": CONTEXT, "answers": []}])
    with refusing(folder, "line 1: column 'question' holds a number (5), not text", "task.question=NAME"):
        gather(folder, QuestionAnswering())


def test_columns_of_questions_are_asked_for_by_name(tmp_path: Path, gather: Gather) -> None:
    with refusing("no column 'context'", "task.context=NAME", "no column 'answers'", "task.answers=NAME"):
        gather(laid(tmp_path / "data", [{"question": "Who?"}]), QuestionAnswering())
    with refusing("this task wants question, context, answers"):
        put(tmp_path / "texts" / "a" / "1.txt", "x")
        gather(tmp_path / "texts", QuestionAnswering())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stride": 0}, "stride is a number of tokens, at least 1"),
        ({"answer_length": 0}, "answer_length is a number of tokens, at least 1"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"context": "question"}, "question, context and answers must be three columns"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], said: str) -> None:
    with refusing(said):
        QuestionAnswering(**settings)


# Choices

CHOICES = ["a bird", "a fish", "a cat"]
ANSWERS: dict[str, list[Any]] = {
    "numbers": [0, 1, 2],
    "numbers as text": ["0", "1", "2"],
    "numbers of Parquet": [0.0, 1.0, 2.0],
    "letters": ["A", "B", "C"],
    "small letters": ["a", "b", "c"],
    "themselves": CHOICES,
}


def choice_rows(given: list[Any], **names: str) -> list[dict[str, Any]]:
    fields = ("question", "choices", "answer")
    return [
        {
            names.get(field, field): value
            for field, value in zip(fields, (f"What is {n}?", CHOICES, answer), strict=True)
        }
        for n, answer in enumerate(given)
    ]


@pytest.mark.parametrize("case", ANSWERS)
def test_the_right_choice_may_be_a_number_a_letter_or_itself(tmp_path: Path, gather: Gather, case: str) -> None:
    corpus = gather(laid(tmp_path / "data", choice_rows(ANSWERS[case])), MultipleChoice())
    table = corpus.table("train").to_pydict()
    assert table["label"] == [0, 1, 2] and table["choices"] == [CHOICES] * 3
    assert corpus.read("labels.json") == ["score"]


@pytest.mark.parametrize("question", ["text", "context", "sentence"])
@pytest.mark.parametrize("choices", ["options", "endings", "answers"])
@pytest.mark.parametrize("answer", ["label", "answerKey", "gold"])
def test_choices_are_found_under_the_names_that_are_common(
    tmp_path: Path, gather: Gather, question: str, choices: str, answer: str
) -> None:
    rows = choice_rows([0, 1], question=question, choices=choices, answer=answer)
    assert gather(laid(tmp_path / "data", rows), MultipleChoice()).table("train")["label"].to_pylist() == [0, 1]


def test_choices_with_names_are_answered_by_them(tmp_path: Path, gather: Gather) -> None:
    named = [
        {"question": "q", "choices": {"text": CHOICES, "label": labels}, "answerKey": key}
        for labels, key in ((["A", "B", "C"], "B"), (["1", "2", "3"], "1"), (["1", "2", "3"], "3"))
    ]
    assert gather(laid(tmp_path / "data", named), MultipleChoice()).table("train")["label"].to_pylist() == [1, 0, 2]


def test_the_number_of_choices_may_differ(tmp_path: Path, gather: Gather) -> None:
    rows = [{"question": f"q{n}", "choices": [f"c{k}" for k in range(n)], "answer": n - 1} for n in (2, 3, 5)]
    corpus = gather(laid(tmp_path / "data", rows), MultipleChoice())
    assert [len(each) for each in corpus.table("train")["choices"].to_pylist()] == [2, 3, 5]


def test_choices_may_stand_as_json_in_the_cells_of_a_table(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        rows = [("q", json.dumps(CHOICES), "B"), ("r", json.dumps(CHOICES), "a cat")]
        write_csv(tmp_path / f"{split}.csv", rows, ("question", "choices", "answer"))
    assert gather(tmp_path, MultipleChoice()).table("train")["label"].to_pylist() == [1, 2]


BAD_CHOICES: dict[str, tuple[dict[str, Any], str]] = {
    "a number too high": ({"answer": 3}, "answer 3 is none of the choices, nor a number from 0 to 2, nor a letter from A to C; correct it"),
    "a letter too high": ({"answer": "D"}, "answer 'D' is none of the choices"),
    "no answer": ({"answer": None}, "answer None is none of the choices"),
    "a negative number": ({"answer": -1}, "answer -1 is none of the choices"),
    "other text": ({"answer": "a dog"}, "answer 'a dog' is none of the choices"),
    "one choice": ({"choices": ["a"]}, "1 choices (['a']); give it two or more, none of them empty"),
    "an empty choice": ({"choices": ["a", " "]}, "2 choices (['a', '']); give it two or more, none of them empty"),
    "choices that are text": ({"choices": "a, b"}, "column 'choices' holds text ('a, b'), not a list"),
    "choices that are numbers": ({"choices": [1, 2]}, "column 'choices' holds a list ([1, 2]), not a list of texts"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CHOICES)
def test_a_bad_choice_is_refused_with_its_line(tmp_path: Path, gather: Gather, case: str) -> None:
    change, said = BAD_CHOICES[case]
    good = choice_rows([0])[0]
    folder = laid(tmp_path / "data", [good, {**good, **change}])
    with refusing(folder / "train.jsonl", f", line 2: {said}"):
        gather(folder, MultipleChoice())


def test_choices_and_answer_are_two_columns() -> None:
    with refusing("question, choices and answer must be three columns"):
        MultipleChoice(answer="choices")


MISTAKES: dict[str, tuple[str, list[dict[str, Any]], list[str], str]] = {
    "an answer": ("qa", flat([[WHO], ["Oslo"], []]), [], "line 2: answer 'Oslo' not in context"),
    "a setting": ("qa", [], ["task.stride=0"], "stride is a number of tokens, at least 1"),
    "a choice": ("choice", choice_rows([0, 7]), [], "line 2: answer 7 is none of the choices"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_ends_a_run_in_one_line(cli: Cli, tmp_path: Path, case: str) -> None:
    recipe, rows, settings, said = MISTAKES[case]
    folder = laid(tmp_path / "data", rows)
    done = cli("run", recipe, f"corpus.source={folder}", *settings, "--until", "collect")
    assert_refused(done, said)
    assert len(done.stderr.splitlines()) == 1


NUMBERS = ["8", "2", "24", "120"]


def sums(*answers: Any) -> list[dict[str, Any]]:
    return [{"question": f"What is it, {n}?", "choices": NUMBERS, "answer": a} for n, a in enumerate(answers)]


def test_a_number_is_a_place_where_choices_are_numbers(tmp_path: Path, gather: Gather) -> None:
    corpus = gather(laid(tmp_path / "data", sums(2, 0, "D", "120", "24")), MultipleChoice())
    assert corpus.table("train")["label"].to_pylist() == [2, 0, 3, 3, 2]


def test_an_answer_that_is_a_choice_and_the_place_of_another_is_refused(tmp_path: Path, gather: Gather) -> None:
    with refusing("answer '2' is a choice, and the place of another ('24')", "write answers as letters"):
        gather(laid(tmp_path / "data", sums("2")), MultipleChoice())


def test_answers_in_a_table_may_be_lists(tmp_path: Path, gather: Gather) -> None:
    cells = ["soup", '["soup"]', "[]", '[{"text": "soup", "answer_start": 8}]', ""]
    rows = "".join(f'Who {n}?,They ate soup.,"{cell.replace(chr(34), chr(34) * 2)}"\n' for n, cell in enumerate(cells))
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.csv", "question,context,answers\n" + rows)
    corpus = gather(tmp_path / "data", QuestionAnswering())
    table = corpus.table("train")
    found = ["soup", "soup", None, "soup", None]
    assert table["answers"].to_pylist() == [[text] if text else [] for text in found]
    assert [starts[:1] for starts in table["label"].to_pylist()] == [[9], [9], [], [9], []]
