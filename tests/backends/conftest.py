"""Tokens to train on, made by the real stages."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.artifacts import Corpus, Model, Tokens
from pipeline.corpora.columns import Columns
from pipeline.stages.collect import Collection, Source, collect
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks.classification import Classification
from tests.conftest import review_rows, write_csv


class Made(NamedTuple):
    base: Model
    corpus: Corpus
    tokens: Tokens


@pytest.fixture(scope="session")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return prepare(tiny_model, tmp_path_factory.mktemp("prepared"))


def prepare(model: Path, place: Path, rows: int = 96) -> Made:
    """Base, corpus and tokens in folders below ``place``."""
    for seed, (split, count) in enumerate({"train": rows, "validation": 32, "test": 32}.items()):
        write_csv(place / "data" / f"{split}.csv", review_rows(count, seed))
    base = fetch(Fetching(Checkpoint(str(model))), folder(place / "base"))
    columns = Columns("text", "label")
    corpus = collect(Collection(Source(str(place / "data")), columns), folder(place / "corpus"))
    task = Classification()
    return Made(base, corpus, tokenize(Tokenization(task, 64), folder(place / "tokens"), base=base, corpus=corpus))


def folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place
