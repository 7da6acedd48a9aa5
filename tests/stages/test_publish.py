"""Publishing: what can be known to fail is said before anything is made, and no token is ever shown or kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.stages.publish import Publication
from tests.conftest import ROOT, Cli, quick, surroundings
from tests.hub.people import fine_grained, person
from tests.hub.server import Hub
from tests.hub.store import Repo
from tests.stages.conftest import assert_refused, put, refusing

TOKEN = "hf_averysecretTokenThatMustNotBeSeen"
STAGES = ("fetch", "collect", "tokenize", "finetune", "predict", "evaluate", "export", "card", "publish")


FAILURES: dict[str, tuple[dict[str, Any], dict[str, str], str, list[str]]] = {
    # how the Hub is, the environment, the repository, what has to be said
    "no token": ({}, {}, "me/model", ["not logged in to the Hub", "`hf auth login`, or set HF_TOKEN"]),
    "an unknown token": ({}, {"HF_TOKEN": TOKEN}, "me/model", ["does not accept the token; make a new one"]),
    "a token that can only read": (
        {"people": {TOKEN: person("read")}}, {"HF_TOKEN": TOKEN}, "me/model", ["can only read; make one that can write"],
    ),
    "another owner": (
        {"people": {TOKEN: person("write", "team")}}, {"HF_TOKEN": TOKEN}, "you/model",
        ["the token is me's, who cannot write to you", "it can to me, team"],
    ),
    "a Hub in trouble": ({"broken": 418}, {"HF_TOKEN": TOKEN}, "me/model", ["the Hub answers 418; try later"]),
    "a Hub out of reach": (
        {}, {"HF_TOKEN": TOKEN, "HF_ENDPOINT": "http://127.0.0.1:1"}, "me/model", ["cannot be reached (ConnectError)", "try later"],
    ),
    "no network by choice": ({}, {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}, "me/model", ["HF_HUB_OFFLINE is set", "unset it to publish"]),
    "no address of a Hub": (
        {}, {"HF_TOKEN": TOKEN, "HF_ENDPOINT": "mirror.example"}, "me/model", ["HF_ENDPOINT=mirror.example", "https://"],
    ),
    "a token that is none": ({}, {"HF_TOKEN": "hf_\u00fcnknown"}, "me/model", ["the token"]),
    "a fine-grained token that can only read": (
        {"people": {TOKEN: fine_grained("repo.content.read")}}, {"HF_TOKEN": TOKEN}, "me/model", ["the token", "write"],
    ),
    "a group where one can only read": (
        {"people": {TOKEN: person("write", "team:read")}}, {"HF_TOKEN": TOKEN}, "team/model", ["cannot write to team"],
    ),
}  # fmt: skip


def assert_token_unseen(done: subprocess.CompletedProcess[str], home: Path) -> None:
    assert TOKEN not in done.stdout + done.stderr
    assert [file for file in home.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()] == []


@pytest.mark.parametrize("case", FAILURES)
def test_what_must_fail_at_the_end_fails_before_anything_is_made(
    online: Cli, hub: Hub, home: Path, reviews: Path, tiny_model: Path, case: str
) -> None:
    state, environment, repo, said = FAILURES[case]
    vars(hub).update(state)
    no_training = "max_length=2"  # tokenize refuses it, if it comes to that
    settings = quick(reviews, tiny_model, f"publication.repo={repo}", no_training)
    done = online("run", "sentiment", *settings, **environment)
    assert_refused(done, f"publication.repo={repo}: ", *said)
    assert "making" not in done.stdout
    assert [stage for stage in STAGES if (home / ".store" / stage).exists()] == []
    assert not (home / "results").exists()
    assert_token_unseen(done, home)


def test_the_token_of_a_login_on_disk_is_used_and_not_shown(
    online: Cli, hub: Hub, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    hub.people[TOKEN] = person("read")
    put(tmp_path / "hf" / "token", TOKEN)
    done = online("run", "sentiment", *quick(reviews, tiny_model, "publication.repo=me/model"))
    assert_refused(done, "the token can only read")
    assert_token_unseen(done, home)


PREFLIGHT = """
import json, sys
from pipeline.cli import _complain
from pipeline.errors import UserError
from pipeline.progress import Silence, listener
from pipeline.stages.publish import Publication, Publishing
class Aloud(Silence):
    def say(self, text): print(text)
listener.set(Aloud())
try:
    Publishing(Publication(**json.loads(sys.argv[1])), json.loads(sys.argv[2])).preflight()
except UserError as error:
    sys.exit(_complain(str(error), 2))
"""

Preflight = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def preflight(hub: Hub, home: Path, tmp_path: Path) -> Preflight:
    """``preflight(repo, metadata, **settings)``: what is looked at before anything is made, and nothing else."""

    def call(repo: str, metadata: dict[str, Any] | None = None, **settings: Any) -> subprocess.CompletedProcess[str]:
        environment = surroundings(home, **hub.environment(tmp_path / "hf"), HF_TOKEN=TOKEN)
        given = json.dumps({"repo": repo, **settings}), json.dumps(metadata or {})
        command = [sys.executable, "-c", PREFLIGHT, *given]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert_token_unseen(done, home)
        return done

    return call


def assert_fine(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("who", "repo"),
    [
        (person(), "me/model"),
        (person("write", "team"), "team/model"),
        (fine_grained("repo.content.read", "repo.write"), "me/model"),
        (fine_grained("repo.write", entity="me/model"), "me/model"),
    ],
    ids=["own", "group", "fine-grained", "one repository"],
)
@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
def test_a_token_that_may_write_is_no_obstacle(
    preflight: Preflight, hub: Hub, who: dict[str, Any], repo: str, there: bool
) -> None:
    hub.people[TOKEN] = who
    if there:
        hub.repos[repo] = Repo(private=True)
    done = preflight(repo)
    assert_fine(done)
    assert hub.asked_for("^POST") == ["POST /api/validate-yaml"] and done.stdout == ""


def test_a_pull_request_needs_a_repository_and_no_right_to_write_to_it(preflight: Preflight, hub: Hub) -> None:
    hub.people[TOKEN] = person()
    assert_refused(
        preflight("you/model", pr=True), "publication.repo=you/model: no such repository on the Hub", "publication.pr"
    )
    hub.repos["you/model"] = Repo()
    assert_refused(preflight("you/model"), "the token is me's, who cannot write to you", "publication.pr=true opens")
    assert_fine(preflight("you/model", pr=True))
    hub.people[TOKEN] = person("read")
    assert_refused(preflight("you/model", pr=True), "the token can only read")


def test_a_repository_that_lets_nobody_in_is_refused_beforehand(preflight: Preflight, hub: Hub) -> None:
    hub.people[TOKEN] = person()
    hub.repos["me/model"] = Repo()
    hub.refuse("/auth-check/write", 403)
    assert_refused(preflight("me/model"), "the token is me's, who may not write there", "ask its owner")


def test_a_dataset_of_the_same_name_is_mentioned(preflight: Preflight, hub: Hub) -> None:
    hub.people[TOKEN] = person()
    hub.repos["datasets/me/model"] = Repo()
    hub.repos["datasets/me/model"].begin()
    done = preflight("me/model")
    assert_fine(done)
    assert done.stdout == "me/model is a dataset on the Hub; the model gets a repository of the same name beside it\n"


def test_a_hub_that_has_models_alone_is_no_obstacle(preflight: Preflight, hub: Hub) -> None:
    hub.people[TOKEN] = person()
    hub.refuse("GET /api/(datasets|spaces)/", 404, times=2)
    assert_fine(preflight("me/model"))


@pytest.mark.parametrize(
    ("metadata", "said"),
    [({"license": "my own"}, '"license" must be one of'), ({"language": "zz_ZZ"}, '"language" must'), ({"datasets": ["a b"]}, "a b")],
    ids=["license", "language", "datasets"],
)  # fmt: skip
def test_metadata_that_the_hub_refuses_is_refused_beforehand(
    preflight: Preflight, hub: Hub, metadata: dict[str, Any], said: str
) -> None:
    hub.people[TOKEN] = person()
    assert_refused(
        preflight("me/model", metadata), "publication.repo=me/model: the Hub refuses the card's metadata (", said
    )
    assert_fine(preflight("me/model", {"license": "mit", "language": "en", "datasets": ["owner/reviews"]}))


def test_a_license_of_the_base_that_the_hub_refuses_is_refused_beforehand(
    online: Cli, hub: Hub, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    hub.people[TOKEN] = person()
    base = shutil.copytree(tiny_model, tmp_path / "base")
    (base / "README.md").write_text("---\nlicense: my own\n---\n", encoding="utf-8")
    done = online("run", "sentiment", *quick(reviews, base, "publication.repo=me/model"), HF_TOKEN=TOKEN)
    assert_refused(done, "the Hub refuses the card's metadata", '"license" must be one of', "set card.license")
    assert "making" not in done.stdout


@pytest.mark.parametrize("question", ["whoami", "auth-check", "validate-yaml", "/api/datasets/"])
def test_a_question_is_asked_again_before_a_push_is_given_up(preflight: Preflight, hub: Hub, question: str) -> None:
    hub.people[TOKEN] = person()
    hub.refuse(question, 503, 2)
    hub.refuse(question, 429)
    done = preflight("me/model")
    assert_fine(done)
    assert done.stdout.count("publication.repo=me/model: the Hub answers 503: it is as it is; trying again in 0 s") == 2
    hub.refuse(question, 503, 9)
    assert_refused(preflight("me/model"), "publication.repo=me/model: the Hub answers 503; try later")


def test_what_is_no_hub_is_called_so(preflight: Preflight, hub: Hub) -> None:
    hub.nonsense = True
    assert_refused(preflight("me/model"), "what answers is no Hub", "look at HF_ENDPOINT")


@pytest.mark.parametrize("question", ["whoami", "auth-check", "validate-yaml", "/api/datasets/"])
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_no_refusal_shows_a_token_even_if_the_hub_does(
    preflight: Preflight, hub: Hub, question: str, status: int
) -> None:
    hub.people[TOKEN], hub.echo = person(), True
    hub.refuse(question, status, 9)
    done = preflight("me/model")  # looks for the token itself
    assert_refused(done, "publication.repo=me/model: ")


def test_a_run_that_publishes_nothing_asks_the_hub_nothing(
    online: Cli, hub: Hub, reviews: Path, tiny_model: Path
) -> None:
    done = online("run", "sentiment", *quick(reviews, tiny_model), "--until", "collect", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert hub.asked == []


@pytest.mark.parametrize("repo", ["model", "a/b/c", "/model", "me/", "./model", "me/my model"])
def test_a_repository_has_an_owner_and_a_name(repo: str) -> None:
    with refusing(f"repo={repo}: expected owner/name"):
        Publication(repo)


@pytest.mark.parametrize(
    ("repo", "said"),
    [
        ("me/-model", "neither begins nor ends with"), ("me/model.", "neither begins nor ends with"),
        ("mé/model", "the letters a to z"), ("me/a--b", "neither -- nor .."), ("me/a..b", "neither -- nor .."),
        ("me/model.git", "nor .git at its end"), ("me/" + "m" * 97, "at most 96 characters"),
    ],
)  # fmt: skip
def test_a_name_that_the_hub_does_not_give_is_refused_at_once(cli: Cli, repo: str, said: str) -> None:
    with refusing(f"repo={repo}: ", said):
        Publication(repo)
    assert_refused(cli("plan", "sentiment", f"publication.repo={repo}"), f"publication.repo={repo}: ", said)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_a_push_to_nowhere_is_refused_with_the_whole_command() -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("REPO", "MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "--old-file", ".venv/ready", "push", "RECIPE=sentiment"]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True)
    assert done.returncode == 2
    assert "error: REPO is missing: make push RECIPE=sentiment REPO=owner/name" in done.stderr


@pytest.mark.skipif(not (shutil.which("make") and (ROOT / ".venv").exists()), reason="make or .venv is not there")
def test_a_push_through_make_asks_for_a_token_first(hub: Hub, home: Path, reviews: Path, tmp_path: Path) -> None:
    environment = surroundings(home, **hub.environment(tmp_path / "hf"))
    environment = {name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "--old-file", ".venv/ready", "push", "RECIPE=sentiment", "REPO=me/model", f"DATA={reviews}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "error: publication.repo=me/model: not logged in to the Hub" in done.stderr
    assert not (home / "results").exists()
