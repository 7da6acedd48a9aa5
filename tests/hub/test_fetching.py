"""Private models and datasets, mirrors, a Hub that is down, none at all; and no token in what is said of any of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli, read_json, review_rows, write_csv
from tests.hub.conftest import TOKEN, Client
from tests.hub.people import person
from tests.hub.server import Hub
from tests.hub.store import Repo

Get = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def repo(hub: Hub, tmp_path: Path) -> Repo:
    """A private dataset."""
    write_csv(tmp_path / "data" / "train.csv", review_rows(60))
    hub.repos["datasets/me/reviews"] = repo = Repo(private=True)
    repo.push(tmp_path / "data")
    return repo


@pytest.fixture
def get(cli: Cli, hub: Hub, home: Path, tmp_path: Path) -> Get:
    """``get(*settings)``: collects the dataset; a token in anything that is said or kept fails the test."""

    def call(*settings: str, **environment: str) -> subprocess.CompletedProcess[str]:
        more = {**hub.environment(tmp_path / "hf"), "HF_TOKEN": TOKEN, **environment}
        done = cli("run", "sentiment", "corpus.source=me/reviews", *settings, "--until", "collect", **more)
        token = more["HF_TOKEN"] or TOKEN
        assert token not in done.stdout + done.stderr
        assert [file for file in home.rglob("*") if file.is_file() and token.encode() in file.read_bytes()] == []
        return done

    return call


def well(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: me/reviews: ")
    assert [part for part in parts if part not in line] == [], line


def test_a_private_dataset_takes_a_token_that_may_see_it(get: Get, hub: Hub, repo: Repo, home: Path) -> None:
    well(get())
    assert read_json(home / ".store" / "pins.json") == {"dataset me/reviews@main": repo.branches["main"]}


@pytest.mark.parametrize("token", ["", "hf_somebodyElse"], ids=["none", "of somebody else"])
def test_without_one_there_is_no_such_dataset(get: Get, hub: Hub, repo: Repo, token: str) -> None:
    hub.people["hf_somebodyElse"] = person(name="else")
    refused(get(HF_TOKEN=token), "no such dataset on the Hub", "if it is private, log in")


def test_a_token_that_the_hub_does_not_know_is_called_so(get: Get, repo: Repo) -> None:
    refused(get(HF_TOKEN="hf_unknownToAnybody"), "does not accept the token", "HF_TOKEN or `hf auth login`")


def test_a_commit_is_taken_as_it_is(get: Get, hub: Hub, repo: Repo, home: Path, tmp_path: Path) -> None:
    first = repo.branches["main"]
    write_csv(tmp_path / "data" / "train.csv", review_rows(80))
    repo.push(tmp_path / "data")
    assert "train: 54 rows" in well(get(f"corpus.revision={first}"))  # of 60, not of 80
    assert hub.asked_for("^GET /api/datasets/me/reviews$") == [] and not (home / ".store" / "pins.json").exists()


def test_a_branch_that_was_seen_is_known_without_the_hub_even_to_another_store(
    get: Get, hub: Hub, repo: Repo, home: Path
) -> None:
    well(get())
    shutil.rmtree(home / ".store")
    asked = len(hub.asked)
    said = well(get(HF_HUB_OFFLINE="1"))
    assert "me/reviews: HF_HUB_OFFLINE is set; main is taken for what it was when it was last seen" in said
    assert len(hub.asked) == asked


def test_a_branch_that_was_seen_is_known_while_the_hub_is_down(get: Get, hub: Hub, repo: Repo, home: Path) -> None:
    well(get())
    shutil.rmtree(home / ".store")
    hub.broken, hub.echo = 503, True
    said = well(get())
    assert "me/reviews: the Hub answers 503; main is taken for what it was when it was last seen" in said


def test_what_the_cache_does_not_have_is_not_to_be_had_offline(get: Get, repo: Repo) -> None:
    refused(get(HF_HUB_OFFLINE="1"), "HF_HUB_OFFLINE is set, and its cache does not have it")


def test_what_came_into_the_cache_file_by_file_is_not_taken_for_all(
    get: Get, hub: Hub, repo: Repo, client: Client, home: Path, tmp_path: Path
) -> None:
    write_csv(tmp_path / "data" / "test.csv", review_rows(20, 2))
    commit = repo.push(tmp_path / "data")
    file = client(
        f"print(hf_hub_download('me/reviews', 'train.csv', repo_type='dataset', revision='{commit}'))"
    ).strip()
    settings = f"corpus.revision={commit}"
    refused(get(settings, HF_HUB_OFFLINE="1"), "file by file", f"corpus.source={Path(file).parent}")
    hub.broken = 503
    refused(get(settings), "file by file")
    hub.broken = 0
    assert "test: 20 rows" in well(get(settings))
    shutil.rmtree(home / ".store")
    assert "test: 20 rows" in well(get(settings, HF_HUB_OFFLINE="1"))


def test_a_refusal_that_passes_is_waited_for(get: Get, hub: Hub, repo: Repo) -> None:
    hub.refuse("^GET /api/datasets/me/reviews", 429)
    hub.refuse("^HEAD /datasets/me/reviews/resolve/", 503)
    hub.drop("^GET /datasets/me/reviews/resolve/", after=100)
    well(get())
    assert [fault.times for fault in hub.faults] == [0, 0, 0]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@pytest.mark.parametrize("question", ["^GET /api/datasets/me/reviews$", "/tree/", "^HEAD ", "^GET /datasets/"])
def test_no_refusal_shows_a_token_even_if_the_hub_does(
    get: Get, hub: Hub, repo: Repo, question: str, status: int
) -> None:
    hub.echo = True
    hub.refuse(question, status, times=99)
    done = get()
    assert done.returncode == 2 and done.stderr.startswith("error: me/reviews: "), done.stdout + done.stderr


def test_a_mirror_is_asked_in_place_of_the_hub(get: Get, hub: Hub, repo: Repo, tmp_path: Path) -> None:
    with Hub() as mirror:
        mirror.people[TOKEN] = person()
        mirror.repos = hub.repos
        well(get(HF_ENDPOINT=mirror.url))
        assert mirror.asked and not hub.asked and not mirror.leaked
