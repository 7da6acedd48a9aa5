"""Settings that save memory give up time or digits, and nothing else."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline import backends
from pipeline.artifacts import Model
from pipeline.backends import Finetuning, Training
from pipeline.backends.data import Data
from pipeline.corpora.source import Source
from pipeline.errors import UserError
from pipeline.fingerprint import statement
from pipeline.memo import Memo
from pipeline.stages.collect import Collection, collect
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.step import Step
from pipeline.tasks.classification import Classification
from tests.backends.conftest import Made, folder, prepare
from tests.backends.test_finetune import QUICK, kill
from tests.conftest import Cli, form_of, make_model, quick

pytestmark = pytest.mark.slow
LENT: dict[str, Any] = {"gradient_checkpointing": True}
needs_bitsandbytes = pytest.mark.skipif(not find_spec("bitsandbytes"), reason="bitsandbytes is not installed")
FRUGAL = ["adafactor", pytest.param("adamw_8bit", marks=needs_bitsandbytes)]


def train(made: Made, out: Path, **settings: Any) -> Model:
    config = Finetuning(made.task, Training(**{**QUICK, **settings}))
    return backends.load("pytorch").finetune(config, folder(out), base=made.base, tokens=made.tokens)


def pupil(made: Made, **settings: Any) -> Any:
    from pipeline.backends.pytorch.finetune import Pupil

    config = Finetuning(made.task, Training(**{**QUICK, **settings}))
    return Pupil(config, made.base, Data(config, made.tokens))


def kept(made: Made, **settings: Any) -> int:
    """Bytes that are kept from the way there for the way back, of one batch."""
    import torch

    from pipeline.backends.pytorch import network

    learner, sizes = pupil(made, **settings), []
    inputs = learner.data.batch(np.arange(16)).inputs

    def pack(tensor: Any) -> Any:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network.run(learner.net, inputs)
    return sum(sizes)


@pytest.mark.parametrize("settings", [{}, {"precision": "bf16"}, {"adapter": "lora", "adapter_dropout": 0.2}], ids=str)
def test_what_is_computed_again_drops_out_the_same(settings: dict[str, Any], made: Made, tmp_path: Path) -> None:
    models = [train(made, tmp_path / str(lent), **settings, gradient_checkpointing=lent) for lent in (False, True)]
    for name in ("history.json", "model.safetensors"):
        first, second = ((model.path / name).read_bytes() for model in models)
        assert first == second, name
    config = models[0].read("config.json")
    assert config["hidden_dropout_prob"] == config["attention_probs_dropout_prob"] == 0.1


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("distilbert", {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 80}),
        ("roberta", {}),
    ],
    ids=["distilbert", "gpt2", "roberta"],
)
def test_every_kind_of_network_computes_again_what_it_did(
    kind: str, sizes: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = prepare(make_model(tmp_path / "model", kind, **sizes), tmp_path)
    assert kept(made, **LENT) < kept(made)
    models = [train(made, tmp_path / str(lent), epochs=1, gradient_checkpointing=lent) for lent in (False, True)]
    first, second = (load_file(model.path / "model.safetensors") for model in models)
    assert all(np.array_equal(tensor, second[name]) for name, tensor in first.items())
    assert "Caching is incompatible" not in capfd.readouterr().err


def test_less_is_kept_where_it_is_computed_again(made: Made) -> None:
    assert kept(made, **LENT) < kept(made) / 2
    assert kept(made, **LENT, adapter="lora") < kept(made, adapter="lora") / 2


def test_a_network_that_cannot_compute_again_is_refused(made: Made, tiny_model: Path, tmp_path: Path) -> None:
    scratch = fetch(Fetching(Checkpoint(str(tiny_model), architecture="mlp")), folder(tmp_path / "base"))
    with pytest.raises(
        UserError, match=r"training\.gradient_checkpointing=true: models of the type text-mlp cannot; leave"
    ):
        train(made._replace(base=scratch), tmp_path / "model", **LENT)
    shared = make_model(tmp_path / "albert", "albert", embedding_size=16, num_hidden_groups=1)
    with pytest.raises(
        UserError, match=r"training\.gradient_checkpointing=true: models of the type albert cannot; leave"
    ):
        pupil(prepare(shared, tmp_path), **LENT)


@pytest.mark.parametrize("optimizer", FRUGAL)
def test_an_optimizer_that_remembers_less_learns(optimizer: str, made: Made, tmp_path: Path) -> None:
    history = train(made, tmp_path, optimizer=optimizer, epochs=8).read("history.json")
    assert history["validation"]["accuracy"] > 0.9


@pytest.mark.parametrize("optimizer", FRUGAL)
def test_it_does_remember_less(optimizer: str, made: Made) -> None:
    def remembered(name: str) -> int:
        learner = pupil(made, optimizer=name)
        learner.step([learner.data.batch(np.arange(16))], 1e-3)
        return sum(value.nbytes for moment, value in learner.state().items() if "random" not in moment)

    assert remembered(optimizer) < remembered("adamw")


@pytest.mark.parametrize("settings", [{}, {"adapter": "lora", "adapter_modules": ("all-linear",)}], ids=["all", "lora"])
@pytest.mark.parametrize("optimizer", FRUGAL)
def test_a_killed_training_with_it_ends_with_the_same_weights(
    optimizer: str, settings: dict[str, Any], made: Made, tmp_path: Path
) -> None:
    settings = {**settings, "optimizer": optimizer}
    whole = train(made, tmp_path / "whole", **settings)
    kill(backends.load("pytorch"), made, tmp_path / "killed", 7, **settings)
    again = train(made, tmp_path / "killed", **settings)
    assert (again.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_adafactor_decays_weights_as_adamw_does(made: Made, tmp_path: Path) -> None:
    plain, decayed = (
        load_file(
            train(made, tmp_path / str(decay), optimizer="adafactor", weight_decay=decay).path / "model.safetensors"
        )
        for decay in (0.0, 0.5)
    )
    assert np.abs(decayed["classifier.weight"]).sum() < np.abs(plain["classifier.weight"]).sum()


@needs_bitsandbytes
def test_moments_of_eight_bits_learn_nearly_as_those_of_32(made: Made) -> None:
    def curve(optimizer: str) -> list[float]:
        learner = pupil(made, optimizer=optimizer, dropout=0.0)
        return [learner.step([learner.data.batch(np.arange(32))], 1e-3) for _ in range(20)]

    assert 0 < np.abs(np.subtract(curve("adamw"), curve("adamw_8bit"))).max() < 0.02


@needs_bitsandbytes
def test_pages_need_a_gpu(made: Made, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"training\.optimizer=paged_adamw_8bit: needs cuda or xpu, and this runs on cpu"
    ):
        train(made, tmp_path, optimizer="paged_adamw_8bit")


@needs_bitsandbytes
def test_a_run_with_eight_bits_is_quiet_and_says_so_in_its_card(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    settings = ("training.optimizer=adamw_8bit", "training.adapter=lora", "export.formats=safetensors")
    done = cli("run", "sentiment", *quick(reviews, tiny_model, *settings))
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), "frameworks must be quiet"
    assert "AdamW of 8 bits" in (home / "results" / "sentiment" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("paged_adamw_8bit", "cpu", "needs cuda or xpu, and this runs on cpu; use training.optimizer=adamw_8bit"),
        ("adamw_8bit", "mps", "needs cpu or cuda or xpu, and this runs on mps; use training.optimizer=adafactor"),
    ],
)
def test_a_device_without_the_optimizer_is_named(name: str, device: str, message: str) -> None:
    from pipeline.backends.pytorch import optimization

    with pytest.raises(UserError, match=f"training.optimizer={name}: {message}"):
        optimization._eight_bit(name, device)


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed")
def test_without_the_package_the_command_that_installs_it_is_told(
    cli: Cli, reviews: Path, tiny_model: Path, made: Made, tmp_path: Path
) -> None:
    message = (
        "training.optimizer=adamw_8bit: bitsandbytes is not installed; install it with: make setup EXTRAS=bitsandbytes"
    )
    done = cli("plan", "sentiment", *quick(reviews, tiny_model, "training.optimizer=adamw_8bit"))
    assert done.returncode == 2 and f"error: {message}" in done.stderr
    with pytest.raises(UserError, match=message):
        train(made, tmp_path, optimizer="adamw_8bit")


def test_only_a_training_with_it_depends_on_whether_bitsandbytes_is_installed(tmp_path: Path) -> None:
    stated = {}
    for optimizer in ("adamw", "adamw_8bit"):
        task, training = Classification(), Training(optimizer=optimizer)  # type: ignore[arg-type]
        base, corpus = Step(fetch, Fetching(Checkpoint())), Step(collect, Collection(Source("reviews"), form_of(task)))
        tokens = Step(tokenize, Tokenization(task, 64), base=base, corpus=corpus)
        step = Step(backends.load("pytorch").finetune, Finetuning(task, training), base=base, tokens=tokens)
        stated[optimizer] = statement(step, Memo(tmp_path / "memo.json"))
    assert stated["adamw"]["libraries"] == stated["adamw_8bit"]["libraries"]
    assert "peft" in stated["adamw"]["libraries"]
    assert "bitsandbytes" not in stated["adamw"]["libraries"]
    told = stated["adamw_8bit"]["settings"]["training"]["optimizer"]
    assert told == (["adamw_8bit", version("bitsandbytes")] if find_spec("bitsandbytes") else "adamw_8bit")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adafactor"}, "optimizer=adafactor: with backend=tensorflow it is adamw or adam or rmsprop or momentum or sgd"),
        (LENT, "gradient_checkpointing=true: with backend=tensorflow it is false; or use backend=pytorch"),
    ],
    ids=["optimizer", "checkpointing"],
)  # fmt: skip
def test_tensorflow_refuses_what_it_does_not_have(
    settings: dict[str, Any], message: str, made: Made, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"training.{message}"):
        backends.load("tensorflow").finetune(
            Finetuning(Classification(), dataclasses.replace(Training(), **settings)), tmp_path, base=made.base,
            tokens=made.tokens,
        )  # fmt: skip
