"""Datasets of the Hub, from a Hub on this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifacts import Corpus
from tests.conftest import Cli, read_json, review_rows, write_csv
from tests.hub.server import Hub
from tests.hub.store import Repo
from tests.stages.conftest import assert_refused, everything, laid, pairs, put, tagged, texts

ROWS = review_rows(60)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def repo(hub: Hub, tmp_path: Path) -> Repo:
    """A dataset of train and test."""
    write_csv(tmp_path / "data" / "train.csv", ROWS)
    write_csv(tmp_path / "data" / "test.csv", review_rows(20, 2))
    hub.repos["datasets/owner/reviews"] = repo = Repo()
    repo.push(tmp_path / "data")
    return repo


@pytest.fixture
def run(online: Cli) -> Run:
    return lambda *settings: online("run", "sentiment", "corpus.source=owner/reviews", *settings, "--until", "collect")


def made(home: Path) -> Corpus:
    """The only corpus there is."""
    (report,) = home.glob(".store/collect/**/data.json")
    return Corpus(report.parent)


def test_a_dataset_is_collected_at_the_commit_its_branch_was_at(
    run: Run, repo: Repo, home: Path, tmp_path: Path
) -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert read_json(home / ".store" / "pins.json") == {"dataset owner/reviews@main": repo.branches["main"]}
    found = everything(made(home))
    assert sorted(found["train"] + found["validation"]) == sorted(ROWS)
    assert found["test"] == review_rows(20, 2)
    repo.push(tmp_path)
    assert "found" in run().stdout


def test_a_dataset_that_is_here_already_needs_no_network(run: Run, repo: Repo, hub: Hub) -> None:
    run()
    asked = len(hub.asked)
    assert run("corpus.limit=10").returncode == 0
    assert [request for request in hub.asked[asked:] if request.startswith("GET /datasets/")] == []


def test_the_word_null_of_a_dataset_stays_text(run: Run, repo: Repo, home: Path, tmp_path: Path) -> None:
    words = ["null", "NA", "None", "nan", "N/A", "fine"]
    write_csv(tmp_path / "words" / "train.csv", [*zip(words, "xyxyxy", strict=True)])
    write_csv(tmp_path / "words" / "validation.csv", ROWS)
    repo.push(tmp_path / "words")
    done = run("corpus.labels=x,y,negative,positive")
    assert done.returncode == 0, done.stderr
    assert texts(made(home)) == words


def test_label_names_come_from_the_features_of_the_dataset(run: Run, repo: Repo, home: Path, tmp_path: Path) -> None:
    card = (
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n"
        "      class_label:\n        names:\n          '0': zebra\n          '1': ape\n---\n"
    )
    put(tmp_path / "named" / "README.md", card)
    for split in ("train", "validation"):
        write_csv(tmp_path / "named" / f"{split}.csv", [("a", 0), ("b", 1)])
    repo.push(tmp_path / "named")
    done = run()
    assert done.returncode == 0, done.stderr
    assert pairs(made(home)) == [("a", "zebra"), ("b", "ape")]


@pytest.mark.parametrize("kind", ["sequence:\n      class_label", "list:\n      dtype:\n        class_label"])
def test_names_of_tags_come_from_the_card_under_whatever_name(
    online: Cli, repo: Repo, home: Path, tmp_path: Path, kind: str
) -> None:
    names = "".join(f"\n            '{n}': {name}" for n, name in enumerate(["O", "B-LOC", "I-LOC"]))
    card = f"---\ndataset_info:\n  features:\n  - name: ner_tags\n    {kind}:\n          names:{names}\n---\n"
    put(laid(tmp_path / "named", [{"tokens": ["in", "Bonn"], "ner_tags": [0, 1]}]) / "README.md", card)
    repo.push(tmp_path / "named")
    done = online("run", "ner", "corpus.source=owner/reviews", "--until", "collect")
    assert done.returncode == 0, done.stderr
    assert tagged(made(home)) == [[("in", "O"), ("Bonn", "B-LOC")]]


def test_a_dataset_of_frames_needs_no_names(online: Cli, repo: Repo, home: Path, tmp_path: Path) -> None:
    frames = [{"predicate": 0, "args": [{"start": 1, "end": 1, "label": "ARG1"}]}]
    repo.push(laid(tmp_path / "frames", [{"words": ["Go", "home"], "frames": frames}]))
    done = online("run", "srl", "corpus.source=owner/reviews", "--until", "collect")
    assert done.returncode == 0, done.stderr
    assert tagged(made(home)) == [[("Go", "O"), ("home", "B-ARG1")]]


def test_a_wrong_column_of_a_dataset_is_named_with_those_there_are(run: Run, repo: Repo) -> None:
    assert_refused(run("task.text=review"), "owner/reviews", "no column 'review'", "'text', 'label'", "task.text=NAME")


def test_a_dataset_without_a_train_split_is_told_which_it_has(run: Run, repo: Repo, tmp_path: Path) -> None:
    write_csv(tmp_path / "tests only" / "test.csv", ROWS)
    repo.push(tmp_path / "tests only")
    assert_refused(run(), "owner/reviews: no train split; there are test")


@pytest.mark.parametrize("holds", ["nothing to read", "a table of another width"])
def test_a_dataset_that_cannot_be_read_is_refused(run: Run, repo: Repo, tmp_path: Path, holds: str) -> None:
    folder = tmp_path / "odd"
    put(folder / "notes.md", "x") if holds == "nothing to read" else put(
        folder / "train.csv", "text,label\na,b,c,d\ne,f\n"
    )
    repo.push(folder)
    assert_refused(run(), "owner/reviews")


def test_a_dataset_of_several_configurations_is_refused(run: Run, repo: Repo, tmp_path: Path) -> None:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.csv\n" for name in ("one", "two"))
    put(tmp_path / "several" / "README.md", f"---\nconfigs:\n{configs}---\n")
    for name in ("one", "two"):
        write_csv(tmp_path / "several" / f"{name}.csv", ROWS)
    repo.push(tmp_path / "several")
    assert_refused(run(), "owner/reviews", "one", "two")


@pytest.mark.parametrize(
    ("name", "said"),
    [("other", "no such dataset on the Hub, and no such folder here"), ("gated", "access must be asked for")],
)
def test_a_dataset_that_is_not_to_be_had_is_refused(online: Cli, hub: Hub, name: str, said: str) -> None:
    hub.repos["datasets/owner/gated"] = Repo(gated=True)
    assert_refused(
        online("run", "sentiment", f"corpus.source=owner/{name}", "--until", "collect"), f"owner/{name}: {said}"
    )
