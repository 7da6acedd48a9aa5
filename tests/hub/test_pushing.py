"""What the stage sends, once: small files pushed by the real client to the Hub on this machine."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.conftest import ROOT, read_json, surroundings
from tests.hub.conftest import TOKEN
from tests.hub.people import person
from tests.hub.server import Hub
from tests.hub.store import Blob, Repo

PUBLISH = """
import json, sys
from pathlib import Path
from pipeline.artifacts import Bundle, Card, Scores
from pipeline.cli import _complain
from pipeline.errors import UserError
from pipeline.progress import Silence, listener
from pipeline.stages.publish import Publication, Publishing, publish
class Aloud(Silence):
    def say(self, text): print(text)
listener.set(Aloud())
at, given = Path(sys.argv[1]), json.loads(sys.argv[2])
if given.pop("no_room", False):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    publish(Publishing(Publication(**given)), at / "out", bundle=Bundle(at), scores=Scores(at), card=Card(at))
except UserError as error:
    sys.exit(_complain(str(error), 2))
"""

NAMES = [
    "README.md", "scores.json", "model/model.safetensors", "model/config.json", "model/README.md", "model/tokenizer.json",
    "onnx/model.onnx", "onnx/config.json", "savedmodel/saved_model.pb", "savedmodel/variables/variables.index",
    "litert/model.tflite", "predictions/test.jsonl", "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
]  # fmt: skip
LARGE = ("model/model.safetensors", "onnx/model.onnx")
MERGED = {
    **{name: f"model/{name}" for name in ("model.safetensors", "config.json", "tokenizer.json")},
    **{name: name for name in NAMES if name.startswith(("onnx/m", "savedmodel", "litert")) or name in ("README.md", "scores.json")},
}  # fmt: skip

Push = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What the stage is given: a bundle, scores and a card in one folder."""
    draw = random.Random(7)
    for name in NAMES:
        file = tmp_path / "made" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(draw.randbytes(60_000) if name in LARGE else f"content of {name}".encode())
    (tmp_path / "made" / "out").mkdir()
    return tmp_path / "made"


@pytest.fixture
def push(hub: Hub, made: Path, tmp_path: Path) -> Push:
    """``push(**settings)``: calls the stage alone; a token in anything that it says or leaves fails the test.

    ``killed_at`` matches a request at which the process is killed.
    """

    def call(token: str = TOKEN, killed_at: str = "", **settings: Any) -> subprocess.CompletedProcess[str]:
        environment = surroundings(tmp_path, **hub.environment(tmp_path / "hf"), HF_TOKEN=token)
        command = [sys.executable, "-c", PUBLISH, str(made), json.dumps({"repo": "me/model", **settings})]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE, text=True) as process:
            if killed_at:
                hub.meanwhile(killed_at, lambda: (process.kill(), process.wait()))
            out, err = process.communicate()
        done = subprocess.CompletedProcess(command, process.returncode, out, err)
        left = [file for file in tmp_path.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]
        assert token not in done.stdout + done.stderr and left == []
        return done

    return call


def well(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of a push that succeeded."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def contents(made: Path, places: dict[str, str]) -> dict[str, bytes]:
    """What has to be in the repository: names there, and places here."""
    return {name: (made / place).read_bytes() for name, place in places.items()}


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: publication.repo=me/model: the upload failed (")
    assert line.endswith("run the same again: the rest is kept")
    assert [part for part in parts if part not in line] == [], line


def commits(hub: Hub) -> list[str]:
    return hub.asked_for("^POST /api/models/me/model/commit/")


def uploads(hub: Hub) -> list[str]:
    return hub.asked_for("^PUT /upload/")


@pytest.mark.parametrize("part", [0, 25_000], ids=["whole", "in parts"])
def test_everything_goes_up_in_one_commit_that_is_tagged_and_named(push: Push, hub: Hub, made: Path, part: int) -> None:
    hub.storage.part = part
    lines = well(push())
    repo = hub.repos["me/model"]
    assert repo.private and len(commits(hub)) == 1
    assert repo.files() == contents(made, MERGED)
    ((tag, oid),) = repo.tags.items()
    assert oid == repo.branches["main"] and repo.commits[oid].title == f"Fine-tuned model, {tag}"
    receipt = {"repo": "me/model", "commit": oid, "address": f"{hub.url}/me/model", "tag": tag}
    assert read_json(made / "out" / "receipt.json") == receipt
    assert lines == ["9 files, 0.1 MB, to me/model", f"published: {hub.url}/me/model", f"commit {oid[:8]}, tag {tag}"]


def test_a_new_repository_is_public_only_if_that_is_asked_for(push: Push, hub: Hub) -> None:
    assert "me/model is public, and stays so" not in well(push(public=True))
    assert not hub.repos["me/model"].private
    assert "me/model is public, and stays so" in well(push())
    hub.repos["me/model"].private = True
    assert "me/model is private, and stays so; make it public in its settings on the Hub" in well(push(public=True))
    assert hub.repos["me/model"].private


def test_an_adapter_goes_up_with_card_and_tokenizer_and_without_what_it_was_merged_into(
    push: Push, hub: Hub, made: Path
) -> None:
    well(push(weights="adapter"))
    places = {name: f"adapter/{name}" for name in ("adapter_config.json", "adapter_model.safetensors")}
    places |= {name: f"model/{name}" for name in ("config.json", "tokenizer.json")}
    assert hub.repos["me/model"].files() == contents(
        made, {**places, "README.md": "README.md", "scores.json": "scores.json"}
    )


def test_texts_go_up_only_if_that_is_asked_for(push: Push, hub: Hub, made: Path) -> None:
    well(push(predictions=True))
    assert hub.repos["me/model"].files() == contents(
        made, {**MERGED, "predictions/test.jsonl": "predictions/test.jsonl"}
    )
    well(push())
    assert hub.repos["me/model"].files() == contents(made, MERGED)


def test_what_is_there_already_takes_no_commit(push: Push, hub: Hub, made: Path) -> None:
    hub.listed = 3  # a listing comes in pages
    well(push())
    first, tags = dict(hub.repos["me/model"].branches), dict(hub.repos["me/model"].tags)
    lines = well(push())
    assert f"nothing has changed: {hub.url}/me/model" in lines
    assert len(commits(hub)) == 1 and len(uploads(hub)) == 4
    assert (hub.repos["me/model"].branches, hub.repos["me/model"].tags) == (first, tags)
    assert read_json(made / "out" / "receipt.json")["commit"] == first["main"]


def test_only_what_has_changed_is_sent_and_old_revisions_stay(push: Push, hub: Hub, made: Path) -> None:
    well(push())
    before, sent = contents(made, MERGED), len(uploads(hub))
    (made / "README.md").write_text("another card", encoding="utf-8")
    well(push())
    repo = hub.repos["me/model"]
    assert repo.files() == contents(made, MERGED) != before
    old, new = repo.tags
    assert repo.files(old) == before and repo.files(new) == repo.files()
    assert len(uploads(hub)) == sent


def test_what_an_earlier_push_left_of_another_model_goes_and_what_others_put_there_stays(
    push: Push, hub: Hub, made: Path
) -> None:
    hub.repos["me/model"] = repo = Repo(private=True)
    theirs = {"notes/why.md": b"x", "pytorch_model.bin": b"x", "onnx_notes.txt": b"x", "model.fp16.safetensors": b"x",
              "model-v1.safetensors": b"x"}  # fmt: skip
    gone = {"model-00001-of-00002.safetensors": b"x", "model.safetensors.index.json": b"x", "onnx/decoder.onnx": b"x",
            "vocab.txt": b"x", "chat_template.jinja": b"x"}  # fmt: skip
    for name, content in {**theirs, **gone}.items():
        (made / "before" / name).parent.mkdir(parents=True, exist_ok=True)
        (made / "before" / name).write_bytes(content)
    first = repo.push(made / "before")
    taken = f"no part of this push, and taken away: {', '.join(sorted(gone))}; revision {first[:8]} keeps them"
    assert f"publication.repo=me/model: {taken}" in well(push())
    assert repo.files() == {**contents(made, MERGED), **theirs}
    assert repo.files(first) == {**theirs, **gone}


STEPS = {
    "whether the repository is there": "^POST /api/repos/create", "what is in it": "^GET /api/models/me/model$",
    "its files": "/tree/", "the card": "validate-yaml", "how to send each file": "/preupload/", "where to": "/objects/batch",
    "a large file": "^PUT /upload/", "the end of its parts": "complete_multipart", "its check": "/objects/verify",
    "the commit": "/commit/main", "the tag": "/tag/",
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_an_upload_goes_on_after_a_refusal_that_passes(push: Push, hub: Hub, made: Path, step: str) -> None:
    hub.storage.part = 25_000
    hub.refuse(STEPS[step], 503 if "card" in step else 429)
    well(push())
    assert [fault.times for fault in hub.faults] == [0]
    assert hub.repos["me/model"].files() == contents(made, MERGED)
    assert len(hub.repos["me/model"].commits) == 2 and len(hub.repos["me/model"].tags) == 1


@pytest.mark.parametrize("step", STEPS)
def test_an_upload_goes_on_after_a_dropped_connection(push: Push, hub: Hub, made: Path, step: str) -> None:
    hub.storage.part = 25_000
    hub.drop(STEPS[step], after=10)
    well(push())
    assert [fault.times for fault in hub.faults] == [0]
    assert hub.repos["me/model"].files() == contents(made, MERGED)
    assert len(hub.repos["me/model"].commits) == 2 and len(hub.repos["me/model"].tags) == 1


@pytest.mark.parametrize("step", ["^POST /api/repos/create", "^PUT /upload/", "/commit/main", "/tag/"])
def test_what_was_done_without_an_answer_is_not_done_twice(push: Push, hub: Hub, made: Path, step: str) -> None:
    hub.drop(step, late=True)
    lines = well(push())
    assert f"published: {hub.url}/me/model" in lines
    assert hub.repos["me/model"].files() == contents(made, MERGED)
    assert len(hub.repos["me/model"].commits) == 2 and len(hub.repos["me/model"].tags) == 1


def test_somebody_elses_commit_in_between_is_kept(push: Push, hub: Hub, made: Path) -> None:
    well(push())
    repo = hub.repos["me/model"]
    theirs = Blob(b"theirs")
    hub.meanwhile("/commit/main", lambda: repo.commit({**repo.at("main").tree, "notes.md": theirs}, "Notes"))
    (made / "README.md").write_text("another card", encoding="utf-8")
    assert any("the Hub answers 412" in line for line in well(push()))
    assert repo.files() == {**contents(made, MERGED), "notes.md": b"theirs"}


def test_an_upload_that_was_given_up_goes_on_where_it_stopped(push: Push, hub: Hub, made: Path) -> None:
    well(push())  # the repository is there
    for name in LARGE:
        (made / name).write_bytes(b"other weights" * 5_000)
    (made / "onnx" / "model.onnx").write_bytes(b"another graph" * 5_000)
    hub.refuse("/commit/main", 503, times=7)
    refused(push(), "the Hub answers 503")
    sent = len(uploads(hub))
    lines = well(push())
    assert any(line.startswith("published") for line in lines)
    assert len(uploads(hub)) == sent
    assert hub.repos["me/model"].files() == contents(made, MERGED)


@pytest.mark.parametrize("step", ["/objects/batch", "/commit/main", "/tag/"])
def test_a_push_that_is_killed_goes_on_where_it_was(push: Push, hub: Hub, made: Path, step: str) -> None:
    assert push(killed_at=step).returncode == -signal.SIGKILL
    sent = len(uploads(hub))
    well(push())
    assert hub.repos["me/model"].files() == contents(made, MERGED)
    assert len(hub.repos["me/model"].tags) == 1
    if step != "/objects/batch":
        assert len(uploads(hub)) == sent == 4
    assert len(hub.repos["me/model"].commits) == 2


def test_a_tag_that_is_missing_is_set_without_a_commit(push: Push, hub: Hub) -> None:
    hub.refuse("/tag/", 403)
    refused(push(), "the Hub answers 403")
    assert len(commits(hub)) == 1 and not hub.repos["me/model"].tags
    well(push())
    assert len(commits(hub)) == 1 and len(hub.repos["me/model"].tags) == 1


def test_a_disk_that_takes_no_receipt_loses_nothing(push: Push, hub: Hub, made: Path) -> None:
    assert push(no_room=True).returncode == 1
    assert not (made / "out" / "receipt.json").exists() or not (made / "out" / "receipt.json").read_bytes()
    well(push())
    assert len(commits(hub)) == 1
    assert read_json(made / "out" / "receipt.json")["commit"] == hub.repos["me/model"].branches["main"]


def test_a_pull_request_is_opened_once_for_the_same_files(push: Push, hub: Hub, made: Path) -> None:
    hub.repos["you/model"] = repo = Repo()
    repo.begin()
    head = repo.branches["main"]
    for _ in range(2):
        lines = well(push(repo="you/model", pr=True))
        assert f"{hub.url}/you/model/discussions/1" in lines[-2] and "tag" not in lines[-1]
    (pull,) = repo.pulls
    assert repo.branches["main"] == head and not repo.tags
    assert repo.files("refs/pr/1") == contents(made, MERGED)
    receipt = {"repo": "you/model", "commit": pull.head, "address": f"{hub.url}/you/model/discussions/1"}
    assert read_json(made / "out" / "receipt.json") == receipt

    (made / "README.md").write_text("another card", encoding="utf-8")
    well(push(repo="you/model", pr=True))
    assert len(repo.pulls) == 2
    repo.merge(2)
    assert any("nothing has changed" in line for line in well(push(repo="you/model", pr=True)))
    assert len(repo.pulls) == 2


def test_a_pull_request_that_was_opened_without_an_answer_is_not_opened_again(push: Push, hub: Hub) -> None:
    hub.repos["you/model"] = Repo()
    hub.repos["you/model"].begin()
    hub.drop("/commit/main", late=True)
    assert any(line.startswith("published: ") for line in well(push(repo="you/model", pr=True)))
    assert len(hub.repos["you/model"].pulls) == 1


def test_an_adapter_that_is_not_there_cannot_be_published(push: Push, made: Path) -> None:
    shutil.rmtree(made / "adapter")
    done = push(weights="adapter")
    assert (
        done.stderr
        == "error: publication.weights=adapter: none is learned; set training.adapter=lora, or leave it out\n"
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"full": True}, "the Hub answers 403: Private repository storage limit reached"),
        ({"people": {}}, "the Hub answers 401: Invalid credentials"),
        ({"people": {TOKEN: person("read")}}, "the Hub answers 403: You don't have the rights to create a model"),
        (
            {"card_error": "license is unknown"},
            "license is unknown); set card.license or card.language, or whatever it names",
        ),
    ],
    ids=["no room", "token no longer valid", "no right", "a card the Hub refuses"],
)
def test_an_upload_that_fails_says_why_and_can_be_repeated(
    push: Push, hub: Hub, made: Path, state: dict[str, Any], said: str
) -> None:
    before = {name: getattr(hub, name) for name in state}
    vars(hub).update(state)
    refused(push(), said)
    assert not (made / "out" / "receipt.json").exists()
    vars(hub).update(before)
    well(push())


ECHOES = [(step, status) for step in STEPS for status in (401, 403)]
ECHOES += [
    (step, 500) for step in ("what is in it", "the commit", "the tag")
]  # elsewhere the client itself asks for long


@pytest.mark.parametrize(("step", "status"), ECHOES)
def test_no_failure_shows_a_token_even_if_the_hub_does(push: Push, hub: Hub, step: str, status: int) -> None:
    """``push`` looks for it in whatever is said and kept."""
    hub.echo, hub.storage.part = True, 25_000
    hub.refuse(STEPS[step], status, times=7)
    refused(push(), f"the Hub answers {status}")
