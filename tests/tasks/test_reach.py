"""What trainings depend on: how answers are read and judged is not among it, nor what is not learned."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from pipeline.fingerprint import statement
from pipeline.memo import Memo
from tests.conftest import ROOT

OWN = {
    "tagging": {"roles", "tagging", "windows", "classification"},
    "questions": {"questions", "windows", "candidates"},
    "choice": {"choice"},
    "causal": {"causal", "chat", "language"},
    "masked": {"masked", "language", "windows"},
    "seq2seq": {"seq2seq", "language"},
}


def reached(recipe: str, stage: str, memo: Memo) -> set[tuple[str, str]]:
    """(module, name) of each definition that a step of a recipe with its defaults depends on."""
    module = import_module(f"recipes.{recipe}")
    (step,) = (step for step in module.plan(module.Config()).walk() if step.name == stage)
    code: dict[str, str] = statement(step, memo)["code"]
    return {(name.partition(":")[0], name.partition(":")[2]) for name in code}


@pytest.fixture(scope="module")
def memo(tmp_path_factory: pytest.TempPathFactory) -> Memo:
    return Memo(tmp_path_factory.mktemp("reach") / "memo.json")


RECIPES = sorted(file.stem for file in (ROOT / "recipes").glob("*.py") if file.stem != "__init__")


@pytest.mark.parametrize("recipe", RECIPES)
def test_how_answers_are_read_and_judged_counts_in_evaluation_only(memo: Memo, recipe: str) -> None:
    judging = import_module(f"recipes.{recipe}").KIND.judging
    task = judging.judge.__module__
    ways = {(task, judging.decode.__name__), (task, judging.judge.__name__)}
    assert ways <= reached(recipe, "evaluate", memo)
    for stage in ("collect", "tokenize", "finetune", "predict", "export"):
        found = reached(recipe, stage, memo)
        assert not ways & found
        assert not {name for module, name in found if module == "pipeline.metrics.intervals"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_other_tasks_count_in_no_training(memo: Memo, recipe: str) -> None:
    head = import_module(f"recipes.{recipe}").Config().task.head
    own = OWN.get(head, {head, "texts"})
    modules = {module for module, _ in reached(recipe, "finetune", memo) if module.startswith("pipeline.tasks.")}
    assert modules <= {f"pipeline.tasks.{name}" for name in own}


@pytest.mark.parametrize("recipe", RECIPES)
def test_how_rows_are_read_counts_in_no_training(memo: Memo, recipe: str) -> None:
    reading = {
        (module, name) for module, name in reached(recipe, "collect", memo) if module.startswith("pipeline.corpora.")
    }
    assert reading
    for stage in ("tokenize", "finetune", "predict"):
        found = {each for each in reached(recipe, stage, memo) if each[0].startswith("pipeline.corpora.")}
        assert {module for module, _ in found} <= {"pipeline.corpora.arrow"}, found


READING: dict[str, dict[str, Any]] = {
    "sentiment": {"text": "review", "label": "stars"},
    "nli": {"first": "premise", "second": "hypothesis"},
    "emotions": {"labels": "tags", "separator": ";"},
    "rating": {"text": "review", "score": "points"},
    "ner": {"words": "tokens", "tags": "ner_tags", "spans": "entities", "invalid": "repair"},
    "srl": {"words": "tokens", "frames": "roles", "predicate": "verb", "tags": "srl_tags", "invalid": "skip"},
    "qa": {"question": "query", "context": "passage", "answers": "answer", "invalid": "skip"},
    "choice": {"question": "text", "choices": "options", "answer": "key"},
}


@pytest.mark.parametrize(("recipe", "name"), [(recipe, name) for recipe, some in READING.items() for name in some])
def test_how_rows_are_read_counts_where_they_are_collected_only(memo: Memo, recipe: str, name: str) -> None:
    module = import_module(f"recipes.{recipe}")
    usual = module.Config()
    other = replace(usual, task=replace(usual.task, **{name: READING[recipe][name]}))
    steps = [{step.name: step for step in module.plan(config).walk()} for config in (usual, other)]
    changed = [each for each in steps[0] if len({repr(statement(some[each], memo)) for some in steps}) > 1]
    assert changed == ["collect", "card"]  # whose command names it
