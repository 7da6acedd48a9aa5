"""Training, with each backend: what is learned, kept, gone on with and refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from pipeline import backends
from pipeline.artifacts import Model
from pipeline.backends import Asking, Backend, Finetuning, Prediction, Training
from pipeline.errors import CheckFailed, UserError
from pipeline.tasks.classification import Classification
from tests.backends.conftest import TASKS, Made, folder, prepare
from tests.conftest import ROOT, make_model, surroundings

pytestmark = pytest.mark.slow
Train = Callable[..., Model]
QUICK = {"epochs": 3, "batch_size": 16, "learning_rate": 3e-3, "precision": "fp32"}


@pytest.fixture(scope="module", params=get_args(backends.Name))
def backend(request: pytest.FixtureRequest) -> Backend:
    return backends.load(request.param)


@pytest.fixture(scope="module")
def train(backend: Backend) -> Train:
    def call(made: Made, out: Path, **settings: Any) -> Model:
        config = Finetuning(Classification(), Training(**{**QUICK, **settings}))
        return backend.finetune(config, folder(out), base=made.base, tokens=made.tokens)

    return call


@pytest.fixture(scope="module")
def whole(train: Train, made: Made, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights that a training ends with that nothing disturbs."""
    return weights(train(made, tmp_path_factory.mktemp("whole")))


def weights(model: Model) -> bytes:
    return (model.path / "model.safetensors").read_bytes()


def test_training_learns_and_says_how_it_went(train: Train, made: Made, tmp_path: Path) -> None:
    history = train(made, tmp_path, epochs=8).read("history.json")
    assert history["validation"]["accuracy"] > 0.9
    assert history["steps"] == 8 * 6 == len(history["loss"])
    assert history["loss"][-1]["loss"] < history["loss"][0]["loss"]
    assert len(history["epochs"]) == 8
    assert list((tmp_path / "logs" / "tensorboard").glob("events*"))


def test_the_same_settings_give_the_same_weights(train: Train, whole: bytes, made: Made, tmp_path: Path) -> None:
    assert weights(train(made, tmp_path)) == whole


def test_another_seed_gives_other_weights(train: Train, whole: bytes, made: Made, tmp_path: Path) -> None:
    assert weights(train(made, tmp_path, seed=18)) != whole


def kill(backend: Backend, made: Made, out: Path, at: int, **settings: Any) -> None:
    """A training in a process of its own that is killed when it has saved its state so many times."""
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from pipeline.artifacts import Model, Tokens
        from pipeline.backends import Finetuning, Training, checkpoint
        from {backend.__name__} import finetune
        from {type(made.task).__module__} import {type(made.task).__name__} as Task

        count, write = 0, checkpoint.write
        def counted(file, *rest):
            global count
            write(file, *rest)
            count += file.name == "checkpoint.safetensors"
            if count == {at}:
                os.kill(os.getpid(), signal.SIGKILL)
        checkpoint.write = counted
        config = Finetuning(Task(), Training(checkpoint_seconds=0, **{QUICK | settings!r}))
        finetune(config, Path({str(folder(out))!r}),
                 base=Model(Path({str(made.base.path)!r})), tokens=Tokens(Path({str(made.tokens.path)!r})))
    """)
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=surroundings(out), check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("at", [2, 7, 13])
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    backend: Backend, train: Train, whole: bytes, made: Made, tmp_path: Path, at: int
) -> None:
    kill(backend, made, tmp_path / "killed", at)
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    assert weights(train(made, tmp_path / "killed")) == whole


def test_a_killed_training_decides_as_one_that_was_not(
    backend: Backend, ready: Callable[..., Made], tmp_path: Path
) -> None:
    made, settings = (
        ready("multilabel"),
        {"learning_rate": 1e-9, "metric": "loss"},
    )  # the first epoch is all but the best
    config = Finetuning(made.task, Training(**{**QUICK, **settings}))
    whole = backend.finetune(config, folder(tmp_path / "whole"), base=made.base, tokens=made.tokens)
    steps = whole.read("history.json")["steps"]
    kill(backend, made, tmp_path / "killed", steps - 1, **settings)
    again = backend.finetune(config, tmp_path / "killed", base=made.base, tokens=made.tokens)
    assert again.read("decision.json") == whole.read("decision.json")
    assert weights(again) == weights(whole)


def test_of_errors_the_smallest_is_kept(backend: Backend, ready: Callable[..., Made], tmp_path: Path) -> None:
    made = ready("regression")
    config = Finetuning(made.task, Training(**{**QUICK, "epochs": 5, "metric": "mae"}))
    history = backend.finetune(config, folder(tmp_path / "model"), base=made.base, tokens=made.tokens).read(
        "history.json"
    )
    errors = [epoch["mae"] for epoch in history["epochs"]]
    assert history["kept_epoch"] == errors.index(min(errors)) + 1
    assert errors[0] != min(errors)


def test_a_label_without_rows_weighs_nothing(ready: Callable[..., Made]) -> None:
    from pipeline.backends.data import class_weights

    train = ready("classification").tokens.features("train")
    found = class_weights(Training(class_weights="balanced"), train, 4, "classification")
    rows = np.bincount(train.numbers("label"), minlength=4)
    assert (found[rows == 0] == 0).all() and (rows == 0).any()
    np.testing.assert_allclose((found * rows)[rows > 0], len(train) / (rows > 0).sum(), rtol=1e-5)


def test_a_state_whose_best_weights_are_torn_is_a_fresh_start(
    backend: Backend, train: Train, whole: bytes, made: Made, tmp_path: Path
) -> None:
    kill(backend, made, tmp_path / "killed", 13)
    (best,) = (tmp_path / "killed" / ".resume").glob("best-*")
    best.write_bytes(os.urandom(1000))
    assert weights(train(made, tmp_path / "killed")) == whole


def test_best_weights_that_are_gone_in_the_end_fail_the_step(made: Made, tmp_path: Path) -> None:
    from pipeline.backends.data import Data
    from pipeline.backends.loop import Loop
    from pipeline.backends.pytorch.finetune import Pupil

    config = Finetuning(Classification(), Training(**{**QUICK, "learning_rate": 1e-9}))  # the first epoch is the best
    data = Data(config, made.tokens)
    loop = Loop(config, Pupil(config, made.base, data), data, folder(tmp_path))
    loop.run()
    for best in tmp_path.glob("best-*"):
        best.unlink()
    with pytest.raises(CheckFailed, match="the weights of epoch 1 are gone; run the same again"):
        loop.keep_best()


def test_a_torn_checkpoint_is_a_fresh_start(train: Train, whole: bytes, made: Made, tmp_path: Path) -> None:
    torn = folder(tmp_path / "torn" / ".resume") / "checkpoint.safetensors"
    torn.write_bytes(os.urandom(1000))
    assert weights(train(made, tmp_path / "torn")) == whole


def test_the_best_epoch_is_kept_and_its_numbers_are_those_of_the_saved_model(
    backend: Backend, train: Train, made: Made, tmp_path: Path
) -> None:
    model = train(made, tmp_path / "model", epochs=6, learning_rate=2e-2)
    history = model.read("history.json")
    accuracies = [epoch["accuracy"] for epoch in history["epochs"]]
    assert history["kept_epoch"] == accuracies.index(max(accuracies)) + 1
    predictions = backend.predict(
        Asking(made.task.head, Prediction()), folder(tmp_path / "predictions"), model=model, tokens=made.tokens
    )
    logits = np.load(predictions.path / "validation.npy")
    found = Classification().monitor(logits, made.tokens.features("validation"), made.tokens.read("labels.json"))
    assert found["accuracy"] == history["validation"]["accuracy"] == max(accuracies)
    assert found["loss"] == pytest.approx(history["validation"]["loss"], abs=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_the_saved_model_of_every_task_answers_as_it_was_validated(
    name: str, backend: Backend, ready: Callable[..., Made], tmp_path: Path
) -> None:
    made = ready(name)
    config = Finetuning(made.task, Training(**{**QUICK, "epochs": 10, "metric": "loss"}))
    model = backend.finetune(config, folder(tmp_path / "model"), base=made.base, tokens=made.tokens)
    predictions = backend.predict(
        Asking(made.task.head, Prediction()), folder(tmp_path / "predictions"), model=model, tokens=made.tokens
    )
    logits = np.load(predictions.path / "validation.npy")
    found = made.task.monitor(logits, made.tokens.features("validation"), made.tokens.read("labels.json"))
    assert found == pytest.approx(model.read("history.json")["validation"], abs=1e-3)
    losses = [point["loss"] for point in model.read("history.json")["loss"]]
    assert min(losses) < 0.95 * losses[0]


def test_patience_stops_a_training_that_gets_no_better(train: Train, made: Made, tmp_path: Path) -> None:
    history = train(made, tmp_path, epochs=30, learning_rate=1e-9, patience=2).read("history.json")
    assert len(history["epochs"]) == 3
    assert history["kept_epoch"] == 1


def test_gradients_of_small_batches_add_up_to_those_of_large_ones(
    train: Train, tiny_model: Path, tmp_path: Path
) -> None:
    still = make_model(tmp_path / "still", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    made = prepare(still, tmp_path)
    one = {"epochs": 1, "batch_size": 96, "max_grad_norm": 0.0}
    large = train(made, tmp_path / "large", **one)
    small = train(made, tmp_path / "small", **{**one, "batch_size": 16, "gradient_accumulation_steps": 6})
    assert small.read("history.json")["loss"][0]["loss"] == pytest.approx(
        large.read("history.json")["loss"][0]["loss"], abs=1e-5
    )
    assert small.read("history.json")["validation"]["loss"] == pytest.approx(
        large.read("history.json")["validation"]["loss"], abs=1e-4
    )


@pytest.mark.parametrize("backend", ["pytorch"], indirect=True)  # test_contract.py holds TensorFlow against it
@pytest.mark.parametrize("settings", [{"class_weights": "balanced"}, {"label_smoothing": 0.2}, {"precision": "bf16"}])
def test_settings_of_the_loss_change_the_training(
    train: Train, made: Made, tmp_path: Path, settings: dict[str, Any]
) -> None:
    if "class_weights" in settings:
        made = prepare(made.base.path, tmp_path / "uneven", rows=95)
    assert weights(train(made, tmp_path / "a")) != weights(train(made, tmp_path / "b", **settings))


def test_a_metric_that_the_task_lacks_is_refused_before_any_work() -> None:
    with pytest.raises(UserError, match=r"training.metric=acuracy: .* loss, accuracy, f1"):
        Finetuning(Classification(), Training(metric="acuracy"))


def test_words_that_no_training_text_has_keep_their_embeddings(train: Train, made: Made, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    name = "bert.embeddings.word_embeddings.weight"
    before = load_file(made.base.path / "model.safetensors")[name.removeprefix("bert.")]
    after = load_file(train(made, tmp_path).path / "model.safetensors")[name]
    used = {i for split in ("train", "validation") for i in made.tokens.features(split).vocabulary().tolist()}
    same = {i for i in range(len(before)) if (before[i] == after[i]).all()}
    assert same
    assert not same & used - {0}


@pytest.mark.parametrize("backend", ["pytorch"], indirect=True)  # test_contract.py holds TensorFlow against it
@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "albert", "xlm-roberta"])
def test_other_kinds_of_encoders_train_and_reload(train: Train, kind: str, tmp_path: Path) -> None:
    names = (
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64} if kind == "distilbert" else {"embedding_size": 32}
    )
    made = prepare(
        make_model(tmp_path / "model", kind, **(names if kind in ("distilbert", "albert", "electra") else {})), tmp_path
    )
    history = train(made, tmp_path / "trained", epochs=20).read("history.json")
    assert history["validation"]["accuracy"] > 0.8


def test_a_head_for_the_same_labels_is_gone_on_with_and_one_for_others_is_not(
    train: Train, made: Made, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    first = train(made, tmp_path / "first", epochs=1)
    still = {"epochs": 1, "learning_rate": 1e-12}
    same = train(Made(first, made.corpus, made.tokens), tmp_path / "same", **still)
    config = (first.path / "config.json").read_text(encoding="utf-8")
    (first.path / "config.json").write_text(
        config.replace("positive", "spam").replace("negative", "ham"), encoding="utf-8"
    )
    other = train(Made(first, made.corpus, made.tokens), tmp_path / "other", **still)
    heads = [load_file(m.path / "model.safetensors")["classifier.weight"] for m in (first, same, other)]
    assert abs(heads[0] - heads[1]).max() < 1e-6
    assert abs(heads[0] - heads[2]).max() > 1e-3


def test_a_training_that_comes_apart_says_what_to_do(train: Train, made: Made, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the loss is (nan|inf) after \d+ steps; lower training.learning_rate"):
        train(made, tmp_path, learning_rate=1e30, max_grad_norm=0.0)


def test_a_training_whose_last_step_takes_it_apart_says_what_to_do(train: Train, made: Made, tmp_path: Path) -> None:
    once = {"epochs": 1, "batch_size": 512, "warmup_ratio": 0.0}
    with pytest.raises(
        UserError, match=r"the validation loss is (nan|inf) after epoch 1; lower training.learning_rate"
    ):
        train(made, tmp_path, learning_rate=1e30, max_grad_norm=0.0, **once)


def test_a_head_without_a_bias_cannot_learn_numbers(ready: Callable[..., Made], tmp_path: Path) -> None:
    model = make_model(tmp_path / "gpt2", "gpt2", n_embd=32, n_layer=1, n_head=2, n_positions=64)
    made = ready("regression", model)
    with pytest.raises(UserError, match="the head of a gpt2 model has no bias, which numbers need; choose a BERT"):
        backends.load("pytorch").finetune(
            Finetuning(made.task, Training(**{**QUICK, "metric": "loss"})),
            folder(tmp_path / "model"), base=made.base, tokens=made.tokens,
        )  # fmt: skip
