"""Rows that lack something: refused in one line, or left out with ``task.invalid=skip``, whatever the task."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pipeline.inference import read as asked
from pipeline.tasks import Task
from pipeline.tasks.choice import MultipleChoice
from pipeline.tasks.classification import Classification, PairClassification
from pipeline.tasks.masked import MaskedLanguageModeling
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.questions import QuestionAnswering
from pipeline.tasks.regression import PairRegression, Regression
from pipeline.tasks.seq2seq import Summarization
from tests.conftest import ROOT, form_of
from tests.end_to_end.conftest import write_lines
from tests.stages.conftest import Gather, refusing

Row = dict[str, Any]


def labelled(number: int) -> Row:
    return {"text": f"soup {number}", "label": "ab"[number % 2]}


# A task, a good row of it by its number, a bad one, and what is said of that.
BAD: dict[str, tuple[Task, Any, Row, str]] = {
    "no label": (Classification(), labelled, {"text": "soup", "label": ""}, "no label; fill it in"),
    "a label of nothing": (Classification(), labelled, {"text": "soup", "label": None}, "no label; fill it in"),
    "no field of labels": (Classification(), labelled, {"text": "soup"}, "no 'label', which rows before it have; add it"),
    "no fields at all": (Classification(), labelled, {}, "no 'text' and no 'label', which rows before it have"),
    "a text that is a number": (Classification(), labelled, {"text": 5, "label": "a"}, "holds a number (5), not text"),
    "half a pair": (
        PairClassification(),
        lambda n: {"first": f"soup {n}", "second": f"bread {n}", "label": "ab"[n % 2]},
        {"first": "soup", "label": "a"},
        "no 'second', which rows before it have",
    ),
    "labels that are none": (
        MultiLabel(), lambda n: {"text": f"soup {n}", "labels": ["a", "b"][: n % 2 + 1]},
        {"text": "soup", "labels": {}}, "not a list of labels",
    ),
    "no number": (Regression(), lambda n: {"text": f"soup {n}", "score": n}, {"text": "soup", "score": None}, "no number"),
    "a number in words": (
        PairRegression(), lambda n: {"first": f"soup {n}", "second": "bread", "score": n},
        {"first": "soup", "second": "bread", "score": "two"}, "not a number",
    ),
    "an answer that is no choice": (
        MultipleChoice(), lambda n: {"question": f"soup {n}", "choices": ["a", "b"], "answer": n % 2},
        {"question": "soup", "choices": ["a", "b"], "answer": 7}, "none of the choices",
    ),
    "a passage that is missing": (
        QuestionAnswering(), lambda n: {"question": f"Who {n}?", "context": f"Ann {n}", "answers": ["Ann"]},
        {"question": "Who?", "answers": ["Ann"]}, "no 'context', which rows before it have",
    ),
    "a passage that is a number": (
        QuestionAnswering(), lambda n: {"question": f"Who {n}?", "context": f"Ann {n}", "answers": ["Ann"]},
        {"question": "Who?", "context": 5, "answers": ["Ann"]}, "holds a number (5), not text",
    ),
    "a text that is a list": (MaskedLanguageModeling(), lambda n: {"text": f"soup {n}"}, {"text": []}, "not text"),
    "no target field": (
        Summarization(), lambda n: {"text": f"soup {n}", "target": "soup"}, {"text": "soup"}, "no 'target', which",
    ),
}  # fmt: skip


@pytest.mark.parametrize("ending", ["jsonl", "json"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_refused_or_left_out(tmp_path: Path, gather: Gather, case: str, ending: str) -> None:
    task, good, bad, said = BAD[case]
    rows = [good(number) for number in range(40)]
    file = laid_out(tmp_path / f"data.{ending}", [*rows[:4], bad, *rows[4:]])
    place = f"{file}, {'line' if ending == 'jsonl' else 'row'} 5: "
    with refusing(place, said):
        gather(file, task)
    corpus = gather(file, replace(task, invalid="skip"))  # type: ignore[type-var]
    (problem,) = corpus.read("data.json")["skipped"]
    assert problem.startswith(place) and said in problem
    assert sum(found["rows"] for found in corpus.read("data.json")["splits"].values()) == 40


def laid_out(file: Path, rows: list[Row]) -> Path:
    if file.suffix == ".jsonl":
        return write_lines(file, *rows)
    file.write_text(json.dumps(rows), encoding="utf-8")
    return file


def test_a_column_that_no_row_has_is_a_matter_of_settings(tmp_path: Path, gather: Gather) -> None:
    file = write_lines(tmp_path / "data.jsonl", *({"words": f"soup {n}", "label": "ab"[n % 2]} for n in range(40)))
    with refusing(f"{file}, line 1: no column 'text'", "task.text=NAME"):
        gather(file, Classification(invalid="skip"))


def test_rows_to_be_answered_may_lack_fields_too(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "data.jsonl", {"text": "soup"}, {"words": "soup"})
    assert [row.problem.partition(": ")[2] for row in asked(form_of(Classification()), file)] == [
        "",
        "no 'text', which rows before it have; add it, or set task.invalid=skip",
    ]


@pytest.mark.parametrize("recipe", sorted(file.stem for file in (ROOT / "recipes").glob("[!_]*.py")))
def test_bad_rows_can_be_skipped_in_every_recipe(recipe: str) -> None:
    task = import_module(f"recipes.{recipe}").Config().task
    assert "invalid" in {field.name for field in fields(task)}
