"""The commonest mistakes, through the real command line: a line that says what to do, and exit code 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Cli, write_csv
from tests.stages.conftest import assert_refused, put

GOOD = "text,label\na,x\nb,y\n"

# What is given, and what has to be answered; {at} is the folder that ``place`` fills.
MISTAKES: dict[str, tuple[str, list[str], list[str]]] = {
    "a missing file": ("collect", ["corpus.source={at}/missing.csv"], ["{at}/missing.csv: no such file or folder"]),
    "a mistyped file": (
        "collect", ["corpus.source={at}/uper.csv"], ["{at}/uper.csv: no such file", "did you mean {at}/upper.csv?"],
    ),
    "a mistyped file here": (
        "collect", ["corpus.source=recipes/reviews.csv"], ["recipes/reviews.csv: no such file or folder"],
    ),
    "a wrong column": (
        "collect", ["corpus.source={at}/upper.csv"], ["{at}/upper.csv", "no column 'text'", "'Text'", "task.text=NAME"],
    ),
    "an empty file": ("collect", ["corpus.source={at}/empty.csv"], ["{at}/empty.csv: empty", "text,label"]),
    "a wrong encoding": (
        "collect", ["corpus.source={at}/french.csv"], ["{at}/french.csv", "cp1252", "corpus.encoding=cp1252"],
    ),
    "an unknown encoding": (
        "collect", ["corpus.source={at}/french.csv", "corpus.encoding=x"], ["corpus.encoding=x: no such encoding"],
    ),
    "a broken quote": ("collect", ["corpus.source={at}/quote.csv"], ["{at}/quote.csv, line 3", "written twice"]),
    "one label": ("collect", ["corpus.source={at}/one.csv"], ["{at}/one.csv", "only one label (x)"]),
    "a label out of range": ("collect", ["corpus.source={at}/range"], ["{at}/range/train.csv, line 4", "'2'"]),
    "one column for both": ("collect", ["task.text=label"], ["text and label are both the column 'label'"]),
    "a share of one": ("collect", ["corpus.validation=1"], ["corpus.validation=1", "from 0 to below 1"]),
    "two shares of a half": ("collect", ["corpus.validation=0.5", "corpus.test=0.5"], ["leave no rows to train on"]),
    "a revision of a file": (
        "collect", ["corpus.source={at}/upper.csv", "corpus.revision=v1"], ["corpus.revision=v1", "has no revisions"],
    ),
    "an offline dataset": ("collect", ["corpus.source=owner/name"], ["owner/name", "corpus.source=PATH"]),
    "an offline dataset at a commit": (
        "collect", ["corpus.source=owner/name", f"corpus.revision={'a' * 40}"], ["owner/name", "corpus.source=PATH"],
    ),
    "no model": ("fetch", ["base.model="], ["base.model=", "model is empty; name a folder or an id on the Hub"]),
    "a new model for labels": ("fetch", ["base.model=anew"], ["base.model=anew: is for recipes that go on with text"]),
    "a missing model folder": (
        "fetch", ["base.model={at}/missing"], ["base.model={at}/missing", "no such folder, and no id", "owner/name"],
    ),
    "an offline model": ("fetch", ["base.model=owner/name"], ["owner/name", "base.model=PATH"]),
    "a folder that is no model": ("fetch", ["base.model={at}/range"], ["{at}/range", "no config.json"]),
    "pickled weights only": (
        "fetch", ["base.model={at}/pickled"], ["{at}/pickled", "pytorch_model.bin", "can run any code", "save_pretrained"],
    ),
    "a revision of a folder": (
        "fetch", ["base.model={at}/pickled", "base.revision=v1"], ["base.revision=v1", "is a folder and has no revisions"],
    ),
    "texts too long for the model": (
        "tokenize", ["base.model={model}", "max_length=100"], ["max_length=100: the base model takes texts of 3 to 64 tokens"],
    ),
    "texts too short for the model": (
        "tokenize", ["base.model={model}", "max_length=2"], ["max_length=2: the base model takes texts of 3 to 64 tokens"],
    ),
}  # fmt: skip


@pytest.fixture
def at(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder of things that cannot be used."""
    folder = tmp_path / "wrong"
    put(folder / "upper.csv", GOOD.replace("text", "Text"))
    put(folder / "empty.csv", "")
    put(folder / "french.csv", "text,label\ncrème,x\nbrûlée,y\n", "cp1252")
    put(folder / "quote.csv", 'text,label\na,x\n"a "fine" soup",y\n')
    put(folder / "one.csv", GOOD.replace("y", "x"))
    write_csv(folder / "range" / "train.csv", [("a", 0), ("b", 1), ("c", 2)])
    put(folder / "range" / "labels.json", json.dumps(["neg", "pos"]))
    shutil.copytree(tiny_model, folder / "pickled", ignore=shutil.ignore_patterns("*.safetensors"))
    put(folder / "pickled" / "pytorch_model.bin", "x")
    return folder


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_ends_a_run_in_a_line_that_says_what_to_do(
    cli: Cli, at: Path, home: Path, tiny_model: Path, case: str
) -> None:
    until, settings, said = MISTAKES[case]
    filled = [[text.format(at=at, model=tiny_model) for text in texts] for texts in (settings, said)]
    assert_refused(cli("run", "sentiment", *filled[0], "--until", until), *filled[1])
    assert not list(home.glob(f".store/{until}/*/record.json")) and not (home / "results" / "sentiment").exists()


def test_all_mistakes_in_settings_are_shown_at_once(cli: Cli) -> None:
    done = cli("run", "sentiment", "corpus.limit=-1", "base.model=", "task.text=label", "publication.repo=me")
    assert_refused(
        done, "limit is a number of rows", "model is empty", "both the column", "repo=me: expected owner/name"
    )
    assert len(done.stderr.splitlines()) == 4


def test_settings_may_follow_options(cli: Cli, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "data.csv", [(f"text {n}", "xy"[n % 2]) for n in range(40)])
    done = cli("run", "sentiment", "--until", "collect", f"corpus.source={file}")
    assert done.returncode == 0, done.stderr
