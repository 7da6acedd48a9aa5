"""Get a pretrained model."""

from __future__ import annotations

import fnmatch
import json
import shutil
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from pipeline.artifacts import Model
from pipeline.backends import classical, scratch
from pipeline.errors import UserError
from pipeline.fields import neutral, require
from pipeline.hub import explained, may_be_id, pin, snapshot
from pipeline.progress import say
from pipeline.stages import packaged, pooling
from pipeline.stages.tokenize import LIMITLESS, TRAINED_HERE, load_tokenizer

NEEDED = (
    "config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "*.model", "*.spm", "chat_template.jinja", "README.md", "LICENSE*", TRAINED_HERE,
)  # fmt: skip
WEIGHTS = (
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    TRAINED_HERE,
)  # and what goes with them
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.pkl")


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained model and its tokenizer."""

    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """an id on the Hub, or a folder with config.json, model.safetensors and the tokenizer; anew: a small Llama without
    any training, for text to go on with"""
    revision: str = ""
    """on the Hub: a commit, branch or tag; empty: the commit known to work, else the main branch as first seen"""
    architecture: Literal["transformer", "mlp", "cnn", "lstm"] = "transformer"
    """transformer: the model itself; mlp, cnn, lstm: a small network to compare with, trained from scratch on the same
    tokens, which training.learning_rate=3e-3 training.epochs=10 suits"""
    pooling: Literal["first", "mean", "auto"] = "first"
    """what one answer a text is read off: first: the first token, as the model has it; mean: the mean over all, by one more
    layer that begins as that; auto: mean if the model was made to embed sentences by it, else first"""

    def __post_init__(self) -> None:
        require(bool(self.model), "model is empty; name a folder or an id on the Hub")

    @property
    def needed(self) -> tuple[str, ...]:
        """Patterns of the names of its files that are wanted."""
        if self.architecture == "transformer":
            return NEEDED
        return tuple(pattern for pattern in NEEDED if pattern not in WEIGHTS)

    @property
    def folder(self) -> Path | None:
        """The folder it is, if it is one."""
        place = Path(self.model).expanduser()
        return place if self.model != scratch.ANEW and place.is_dir() else None

    def pinned(self, known: MutableMapping[str, str]) -> Checkpoint:
        """With the Hub's commit in place of a branch."""
        if self.model == scratch.ANEW:
            return self
        if self.folder:
            require(not self.revision, f"base.revision={self.revision}: {self.model} is a folder and has no revisions")
            return self
        require(
            may_be_id(self.model),
            f"base.model={self.model}: no such folder, and no id on the Hub, which has the form owner/name",
        )
        if self.model in packaged.PACKAGED and not self.revision:
            return replace(self, revision=packaged.PACKAGED[self.model].revision)
        return replace(self, revision=pin("model", self.model, self.revision, known))

    def depends(self) -> dict[str, Any]:
        """A folder counts by its content, not by where it lies."""
        if not self.folder:
            return {}
        files = {file.name: file for file in _matching(self.needed, self.folder)}
        if self.pooling == "auto" and (said := self.folder / pooling.SAID).is_file():
            files[pooling.SAID] = said
        return {"model": files}


@dataclass(frozen=True)
class Fetching:
    """A checkpoint, and the model types that can be trained; any, if none is named."""

    checkpoint: Checkpoint
    kinds: tuple[str, ...] = neutral(())  # whatever they are, what is fetched is the same


def fetch(config: Fetching, out: Path) -> Model:
    """Copy the model's files, so that what was trained from stays at hand; ``source.json`` says whence, and which modules
    are not the model's own.

    With another architecture than the model's own its tokenizer is kept, and ``config.json`` describes the network
    to be trained; there are no weights.

    Raises:
        UserError: there is no such model, or it is of a type that cannot be trained, or its weights are pickled,
            which can run any code when loaded.
    """
    wanted = config.checkpoint.pinned({})  # nothing to do in a run, where it is pinned already
    if wanted.model == scratch.ANEW:
        made = Model(out)
        made.write("config.json", scratch.DECODER)
        made.write("source.json", {"model": "", "revision": ""})
        return made
    place, whence = _find(wanted, config.kinds)
    hub_id = wanted.model if wanted.revision else ""  # where a folder lies is no part of a result
    source: dict[str, Any] = {"model": hub_id, "revision": wanted.revision}
    if wanted.architecture == "transformer":
        _check_kind(place, wanted.model, config.kinds)
        for file in _matching(wanted.needed, place):
            shutil.copyfile(file, out / file.name)
        _check(out, place, wanted.model)
        if wanted.pooling == "mean" or (wanted.pooling == "auto" and pooling.by_mean(place)):
            source["added"] = pooling.add_mean(out, wanted.model)
    else:
        _describe(wanted, place, out)
    at = f" at {wanted.revision[:8]}" if wanted.revision else ""
    say(f"{wanted.model}{at}, from {whence}")
    made = Model(out)
    made.write("source.json", source)
    return made


def _find(wanted: Checkpoint, kinds: tuple[str, ...]) -> tuple[Path, str]:
    """Where its files are, and where they come from."""
    if wanted.folder:
        return wanted.folder, "a folder"
    if place := packaged.folder(wanted.model, wanted.revision):
        return place, f"the package {packaged.PACKAGED[wanted.model].distribution}"
    return _download(wanted, kinds), "the Hub"


def _matching(patterns: Iterable[str], folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.is_file() and any(fnmatch.fnmatch(file.name, pattern) for pattern in patterns):
            yield file


def _describe(config: Checkpoint, place: Path, out: Path) -> None:
    """Write the tokenizer of the model in ``place``, and the ``config.json`` of a network that takes what it gives."""
    _check_tokenizer(place, config.model)
    # Saved anew, for which kind of tokenizer it is stands in the model's config.json in many a folder.
    tokenizer = load_tokenizer(place, config.model)
    tokenizer.model_max_length = LIMITLESS  # such a network counts no positions
    tokenizer.save_pretrained(out)
    for file in _matching(("README.md", "LICENSE*"), place):
        shutil.copyfile(file, out / file.name)
    size = max(tokenizer.get_vocab().values()) + 1
    described = classical.configuration(config.architecture, size, tokenizer.pad_token_id or 0)
    Model(out).write("config.json", described)


def _download(config: Checkpoint, kinds: tuple[str, ...]) -> Path:
    from huggingface_hub import HfApi

    with explained("model", config.model):
        if kinds and config.architecture == "transformer":  # a model that cannot be trained need not come whole
            first = snapshot("model", config.model, config.revision, ["config.json"])
            _check_kind(first, config.model, kinds)
        folder = snapshot("model", config.model, config.revision, [*config.needed, pooling.SAID])
        if config.needed == NEEDED and not any(folder.glob("*.safetensors")):
            _refuse_weights(config.model, HfApi().list_repo_files(config.model, revision=config.revision))
        return folder


def _check_kind(folder: Path, name: str, kinds: tuple[str, ...]) -> None:
    """Its type must be one of ``kinds``, if any are named."""
    found = _config(folder, name).get("model_type")
    if kinds and found and found not in kinds and found not in classical.TYPES:
        raise UserError(
            f"{name}: a {found} model cannot be trained with this backend; {', '.join(kinds)} can; or use backend=pytorch"
        )


def _check(folder: Path, source: Path, name: str) -> None:
    """Refuse what could not be trained on, before anything is."""
    config = _config(folder, name)
    if "model_type" not in config:
        raise UserError(f"{name}: config.json names no model_type; code that comes with a model is never run here")
    if classical.described(config):
        kind = config["model_type"].removeprefix("text-")
        raise UserError(
            f"{name}: a {config['model_type']} model is no base to fine-tune; base.architecture={kind} trains a new one"
        )
    if "auto_map" in config and not _is_known(config["model_type"]):
        raise UserError(
            f"{name}: a {config['model_type']} model needs code that comes with it, and such code is never run here; "
            "choose a model that transformers knows by itself"
        )
    if not any(folder.glob("*.safetensors")):
        _refuse_weights(name, [file.name for file in source.iterdir()])
    for weights in folder.glob("*.safetensors"):
        _check_weights(weights, name)
    _check_tokenizer(folder, name)


def _check_tokenizer(folder: Path, name: str) -> None:
    known = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")
    if not any(file for pattern in known for file in folder.glob(pattern)):
        raise UserError(f"{name}: has no tokenizer; put its tokenizer.json beside the weights")


def _config(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{name}: has no config.json, so it is no Transformers model; a PEFT adapter or GGUF file cannot be used here"
        ) from None
    except ValueError as error:
        raise UserError(f"{name}: its config.json is not JSON ({error}); get it again") from None
    return found if isinstance(found, dict) else {}


def _is_known(kind: str) -> bool:
    from transformers import CONFIG_MAPPING

    return kind in CONFIG_MAPPING


def _refuse_weights(name: str, files: Iterable[str]) -> NoReturn:
    pickled = [file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in PICKLED)]
    found = f", only {', '.join(pickled)}, in a format that can run any code when loaded" if pickled else ""
    raise UserError(
        f"{name}: has no model.safetensors{found}; where you trust it, load it with transformers, "
        "save_pretrained() it to a folder, and give that as base.model"
    )


def _check_weights(weights: Path, name: str) -> None:
    """A file's header must be that of safetensors; a pointer of Git LFS is what an incomplete clone leaves."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        pointer = weights.read_bytes()[:7] == b"version"
        reason = (
            "a pointer of Git LFS; run `git lfs pull` in its folder" if pointer else f"damaged ({error}); get it again"
        )
        raise UserError(f"{name}: {weights.name} is {reason}") from None
