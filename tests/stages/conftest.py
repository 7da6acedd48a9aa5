"""Calls of the stages without the engine: what they make, what they say and how they refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Corpus
from pipeline.corpora.source import Source
from pipeline.errors import UserError
from pipeline.privacy.mask import masked
from pipeline.progress import Advance, Silence, listener
from pipeline.stages.collect import Collection, collect
from pipeline.tasks import Task
from pipeline.tasks.classification import Classification
from tests.conftest import Cli, form_of
from tests.hub.server import Hub

Gather = Callable[..., Corpus]


@contextmanager
def refusing(*parts: object) -> Iterator[None]:
    """What happens inside must be refused in words that hold every one of ``parts``."""
    with pytest.raises(UserError) as caught:
        yield
    message = str(caught.value)
    assert [part for part in map(str, parts) if part not in message] == [], message


def assert_refused(done: subprocess.CompletedProcess[str], *parts: object) -> None:
    """A command must have ended as for a user's mistake, with ``parts`` in what it complained of."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert lines and all(line.startswith("error: ") for line in lines), done.stderr
    assert [part for part in map(str, parts) if part not in done.stderr] == [], done.stderr


class Notebook(Silence):
    """Writes down what stages say."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done = 0

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def work(self, what: str, total: int, unit: str, done: int) -> Iterator[Advance]:
        def advance(more: int) -> None:
            self.done += more

        yield advance


@pytest.fixture
def heard() -> Iterator[Notebook]:
    """What the stages of this test say."""
    notebook = Notebook()
    token = listener.set(notebook)
    yield notebook
    listener.reset(token)


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[[], Path]:
    """Gives an empty folder, another at each call."""
    numbers = count()

    def make() -> Path:
        folder = tmp_path / f"out-{next(numbers)}"
        folder.mkdir()
        return folder

    return make


@pytest.fixture
def gather(new_folder: Callable[[], Path]) -> Gather:
    """``gather(source, task, **settings)``: the corpus that ``collect`` makes of a source, as recipes have it made."""

    def call(source: Path, task: Task | None = None, **settings: Any) -> Corpus:
        task = task or Classification()
        skip = getattr(task, "invalid", "refuse") == "skip"
        read = Source(str(source), **settings)
        return collect(Collection(read, masked(form_of(task), read.mask), skip), new_folder())

    return call


def texts(corpus: Corpus, split: str = "train") -> list[str]:
    return corpus.table(split)["text"].to_pylist()


def pairs(corpus: Corpus, split: str = "train") -> list[tuple[str, str]]:
    """Text and name of the label of each row."""
    names = corpus.read("labels.json")
    table = corpus.table(split).to_pydict()
    return [(text, names[label]) for text, label in zip(table["text"], table["label"], strict=True)]


def everything(corpus: Corpus) -> dict[str, list[tuple[str, str]]]:
    return {split: pairs(corpus, split) for split in corpus.splits()}


def put(file: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write ``text`` as it is, line ends included."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode(encoding))
    return file


def laid(folder: Path, records: Iterable[Any], labels: Any = None) -> Path:
    """A folder with the same JSON Lines to train and to validate on, and label names."""
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    for split in ("train", "validation"):
        put(folder / f"{split}.jsonl", lines)
    if labels is not None:
        put(folder / "labels.json", json.dumps(labels))
    return folder


def tagged(corpus: Corpus, split: str = "train") -> list[list[tuple[str, str]]]:
    """Each word of each sentence with the name of its tag."""
    names = corpus.read("labels.json")
    return [
        [(row["text"][b:e], names[n]) for b, e, n in zip(row["begins"], row["ends"], row["label"], strict=True)]
        for row in corpus.table(split).to_pylist()
    ]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A small Hub on this machine."""
    with Hub() as running:
        yield running


@pytest.fixture
def online(cli: Cli, hub: Hub, tmp_path: Path) -> Cli:
    """The command line, with ``hub`` for the Hub and nobody logged in."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return cli(*arguments, **{**hub.environment(tmp_path / "hf"), **environment})

    return call


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to spoil."""
    return Path(shutil.copytree(tiny_model, tmp_path / "a model"))
