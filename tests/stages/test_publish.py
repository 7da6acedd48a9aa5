"""Publishing: what can be known to fail is said before anything is made, and no token is ever shown or kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.stages.publish import Publication
from tests.conftest import ROOT, Cli, quick, read_json, surroundings
from tests.hub.server import Hub
from tests.stages.conftest import assert_refused, put, refusing

TOKEN = "hf_averysecretTokenThatMustNotBeSeen"
STAGES = ("fetch", "collect", "tokenize", "finetune", "predict", "evaluate", "export", "card", "publish")


def person(role: str = "write", *groups: str) -> dict[str, Any]:
    """What the Hub says of whose token it is."""
    orgs = [{"name": name, "roleInOrg": may or "write"} for name, _, may in (group.partition(":") for group in groups)]
    return {"type": "user", "name": "me", "orgs": orgs, "auth": {"type": "access_token", "accessToken": {"role": role}}}


def fine_grained(*permissions: str) -> dict[str, Any]:
    """The same of a token with rights of its own."""
    me = person("fineGrained")
    rights = {"entity": {"type": "user", "name": "me"}, "permissions": list(permissions)}
    me["auth"]["accessToken"]["fineGrained"] = {"global": [], "scoped": [rights]}
    return me


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
    "no network by choice": ({}, {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}, "me/model", ["HF_HUB_OFFLINE"]),
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


@pytest.mark.parametrize(
    ("who", "repo"),
    [
        (person(), "me/model"),
        (person("write", "team"), "team/model"),
        (fine_grained("repo.content.read", "repo.write"), "me/model"),
    ],
    ids=["own", "group", "fine-grained"],
)
def test_a_token_that_may_write_is_no_obstacle(
    online: Cli, hub: Hub, reviews: Path, tiny_model: Path, who: dict[str, Any], repo: str
) -> None:
    hub.people[TOKEN] = who
    settings = quick(reviews, tiny_model, f"publication.repo={repo}")
    done = online("run", "sentiment", *settings, "--until", "collect", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr


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


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_a_push_to_nowhere_is_refused_with_the_whole_command() -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("REPO", "MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "--old-file", ".venv/ready", "push", "RECIPE=sentiment"]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True)
    assert done.returncode == 2
    assert "error: REPO is missing: make push RECIPE=sentiment REPO=owner/name" in done.stderr


PUBLISH = """
import sys
from pathlib import Path
from pipeline.artifacts import Bundle, Card, Scores
from pipeline.errors import UserError
from pipeline.stages.publish import Publication, publish
at = Path(sys.argv[1])
try:
    publish(Publication("me/model", weights=sys.argv[2]), at / "out", bundle=Bundle(at), scores=Scores(at), card=Card(at))
except UserError as error:
    sys.exit(f"error: {error}")
"""


Upload = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def upload(hub: Hub, home: Path, tmp_path: Path) -> Upload:
    """``upload(weights)``: calls the stage alone on small files."""
    for name in ("README.md", "scores.json", "model/model.safetensors", "model/config.json", "model/README.md",
                 "onnx/model.onnx", "onnx/config.json", "savedmodel/saved_model.pb", "savedmodel/variables/variables.index",
                 "litert/model.tflite", "predictions/test.jsonl", "adapter/adapter_config.json",
                 "adapter/adapter_model.safetensors", "model/tokenizer.json"):  # fmt: skip
        put(tmp_path / "made" / name, f"content of {name}")
    (tmp_path / "made" / "out").mkdir()
    environment = surroundings(home, **hub.environment(tmp_path / "hf"), HF_TOKEN=TOKEN)

    def call(weights: str = "merged") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PUBLISH, str(tmp_path / "made"), weights]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    return call


def sent(hub: Hub) -> dict[str, str]:
    """The files of the one commit that was made."""
    (commit,) = hub.commits
    header = commit.pop("header")
    assert header["summary"] == "Fine-tuned model"
    return {name: b64decode(value["content"]).decode() for name, value in commit.items()}


def test_everything_goes_up_in_one_commit_and_the_receipt_names_it(upload: Upload, hub: Hub, tmp_path: Path) -> None:
    hub.people[TOKEN] = person()
    done = upload()
    assert done.returncode == 0, done.stderr
    moved = {name: f"model/{name}" for name in ("model.safetensors", "config.json", "tokenizer.json")}
    others = ["README.md", "scores.json", "onnx/model.onnx", "savedmodel/saved_model.pb",
              "savedmodel/variables/variables.index", "litert/model.tflite"]  # fmt: skip
    assert sent(hub) == {name: f"content of {place}" for name, place in {**moved, **{o: o for o in others}}.items()}
    receipt = read_json(tmp_path / "made" / "out" / "receipt.json")
    assert receipt == {"repo": "me/model", "commit": "c" * 40, "address": f"{hub.url}/me/model/commit/{'c' * 40}"}


def test_an_adapter_goes_up_with_card_and_tokenizer_and_without_what_it_was_merged_into(
    upload: Upload, hub: Hub
) -> None:
    hub.people[TOKEN] = person()
    done = upload("adapter")
    assert done.returncode == 0, done.stderr
    places = {name: f"adapter/{name}" for name in ("adapter_config.json", "adapter_model.safetensors")}
    places |= {name: f"model/{name}" for name in ("config.json", "tokenizer.json")}
    places |= {name: name for name in ("README.md", "scores.json")}
    assert sent(hub) == {name: f"content of {place}" for name, place in places.items()}


NO_ADAPTER = "publication.weights=adapter: none is learned; set training.adapter=lora, or leave it out"


def test_an_adapter_that_is_not_learned_cannot_be_published(
    cli: Cli, upload: Upload, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "publication.weights=adapter")
    assert_refused(cli("plan", "sentiment", *settings), NO_ADAPTER)
    assert cli("plan", "sentiment", *settings, "training.adapter=lora").returncode == 0
    shutil.rmtree(tmp_path / "made" / "adapter")
    assert NO_ADAPTER in upload("adapter").stderr


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"full": True}, "storage limit"),
        ({"people": {}}, "401"),
        ({"card_error": "license is unknown"}, "license is unknown"),
    ],
    ids=["no room", "token no longer valid", "a card the Hub refuses"],
)
def test_an_upload_that_fails_says_why_and_can_be_repeated(
    upload: Upload, hub: Hub, tmp_path: Path, state: dict[str, Any], said: str
) -> None:
    vars(hub).update({"people": {TOKEN: person()}, **state})
    done = upload()
    assert done.stderr.startswith("error: publication.repo=me/model: the upload failed ("), done.stderr
    assert said in done.stderr and "run the same again: the rest is kept" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert not (tmp_path / "made" / "out" / "receipt.json").exists()
