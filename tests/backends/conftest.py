"""Tokens to train on, made by the real stages."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.artifacts import Corpus, Model, Tokens
from pipeline.corpora.source import Source
from pipeline.progress import Silence, listener
from pipeline.stages.collect import Collection, collect
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks import Task
from pipeline.tasks.causal import CausalLanguageModeling
from pipeline.tasks.choice import MultipleChoice
from pipeline.tasks.classification import Classification, PairClassification
from pipeline.tasks.masked import MaskedLanguageModeling
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.questions import QuestionAnswering
from pipeline.tasks.regression import PairRegression, Regression
from pipeline.tasks.roles import RoleLabelling
from pipeline.tasks.seq2seq import Translation
from pipeline.tasks.tagging import Tagging
from tests.conftest import BLAME, PRAISE, THINGS, form_of, review_rows, write_csv

Row = dict[str, Any]


def spoken(thing: str, word: str, more: str) -> str:
    return f"the {thing} was {word} and the {more} was fresh"


def tags(words: list[str]) -> list[str]:
    return ["B-thing" if word in THINGS else "B-praise" if word in PRAISE else "O" for word in words]


def roles(words: list[str]) -> Row:
    spans = {"start": [0, 3], "end": [2, 4], "label": ["ARG1", "ARG2"]}
    return {"words": words, "frames": [{"predicate": 2, "args": spans}]}


# A task for every head, those with two texts beside those with one; and a row from a thing, what it was and another
# thing, such as a small network can learn in a few steps.
TASKS: dict[str, tuple[Task, Callable[[str, str, str], Row]]] = {
    "classification": (
        Classification(), lambda thing, word, more: {"text": spoken(thing, word, more), "label": str(word in PRAISE)}),
    "pairs": (
        PairClassification(),
        lambda thing, word, more: {"first": f"the {thing}", "second": f"was {word}", "label": str(word in PRAISE)}),
    "multilabel": (
        MultiLabel(),
        lambda thing, word, more: {
            "text": spoken(thing, word, more), "labels": ["old"] * (thing < "d") + ["new"] * (more < "g")}),
    "regression": (
        Regression(), lambda thing, word, more: {"text": f"{word} {thing}", "score": 9.0 if thing == "film" else 3.5}),
    "similarity": (
        PairRegression(loss="huber"),
        lambda thing, word, more: {"first": thing, "second": more, "score": 9.0 if thing == "film" else len(word) / 4}),
    "tagging": (
        Tagging(),
        lambda thing, word, more: (
            {"words": spoken(thing, word, more).split(), "tags": tags(spoken(thing, word, more).split())})),
    "roles": (RoleLabelling(), lambda thing, word, more: roles(spoken(thing, word, more).split())),
    "questions": (
        QuestionAnswering(stride=8),
        lambda thing, word, more: {
            "question": "what was it", "context": spoken(thing, word, more),
            "answers": {"text": [word], "answer_start": [len(f"the {thing} was ")]}}),
    "choice": (
        MultipleChoice(),
        lambda thing, word, more: {
            "question": f"the {thing} was", "choices": ["warm", "dull", "rude"] if word < "d" else ["cold", "bright"],
            "answer": 0 if word < "d" else 1}),
}  # fmt: skip
# The same for heads that predict tokens, of which some need a base of their own kind.
PREDICTING: dict[str, tuple[Task, Callable[[str, str, str], Row]]] = {
    "seq2seq": (
        Translation(max_target_length=16, target_vocabulary=300),
        lambda thing, word, more: {"text": spoken(thing, word, more), "target": f"Das {thing.title()} war {word}."}),
    "causal": (
        CausalLanguageModeling(),
        lambda thing, word, more: {"prompt": f"what was the {thing}", "response": f"it was {word}"}),
    "text": (CausalLanguageModeling(), lambda thing, word, more: {"text": spoken(thing, word, more)}),
    "masked": (MaskedLanguageModeling(), lambda thing, word, more: {"text": spoken(thing, word, more)}),
}  # fmt: skip
EVERY = {**TASKS, **PREDICTING}
ROWS = {"train": 48, "validation": 16, "test": 16}


def write_rows(name: str, place: Path) -> Path:
    """The rows of one of :data:`EVERY`."""
    draw = random.Random(name)
    for split, count in ROWS.items():
        words = [(draw.choice(THINGS), draw.choice(PRAISE + BLAME), draw.choice(THINGS)) for _ in range(count)]
        lines = [json.dumps(EVERY[name][1](*three)) + "\n" for three in words]
        (place / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return place


class Made(NamedTuple):
    base: Model
    corpus: Corpus
    tokens: Tokens
    task: Task = Classification()


@pytest.fixture(scope="session")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return prepare(tiny_model, tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="session")
def ready(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """``ready(name, model)``: what one of :data:`EVERY` is learned from, for the small BERT or another model."""

    @cache
    def corpus(name: str) -> Corpus:
        source = Source(str(write_rows(name, tmp_path_factory.mktemp(f"data-{name}"))))
        return collect(Collection(source, form_of(EVERY[name][0])), tmp_path_factory.mktemp(f"corpus-{name}"))

    @cache
    def call(name: str, model: Path = tiny_model) -> Made:
        return tokenized(model, tmp_path_factory.mktemp(name), corpus(name), EVERY[name][0])

    return call


def prepare(model: Path, place: Path, rows: int = 96) -> Made:
    """Reviews to tell apart: base, corpus and tokens in folders below ``place``."""
    for seed, (split, count) in enumerate({"train": rows, "validation": 32, "test": 32}.items()):
        write_csv(place / "data" / f"{split}.csv", review_rows(count, seed))
    task = Classification()
    corpus = collect(Collection(Source(str(place / "data")), form_of(task)), folder(place / "corpus"))
    return tokenized(model, place, corpus, task)


def tokenized(model: Path, place: Path, corpus: Corpus, task: Task) -> Made:
    base = fetch(Fetching(Checkpoint(str(model))), folder(place / "base"))
    tokens = tokenize(Tokenization(task, 64), folder(place / "tokens"), base=base, corpus=corpus)
    return Made(base, corpus, tokens, task)


def folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


class Ear(Silence):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def say(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The lines that stages tell."""
    ear = Ear()
    token = listener.set(ear)
    yield ear.told
    listener.reset(token)
