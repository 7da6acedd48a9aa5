"""What holds between the backends: the same numbers, from and to the same checkpoints."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline import backends
from pipeline.artifacts import Model
from pipeline.backends import Finetuning, Training, batches
from pipeline.backends.data import Data
from pipeline.backends.heads import HEADS
from pipeline.backends.loop import Learner
from pipeline.errors import UserError
from pipeline.tasks.classification import Classification
from tests.backends.conftest import TASKS, Made, folder, prepare
from tests.conftest import ROOT, Cli, make_model, quick, read_json, surroundings

pytestmark = pytest.mark.slow
SIZES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    "bert": {},
    "camembert": {},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "electra": {"embedding_size": 16},
    "roberta": {},
    "xlm-roberta": {},
}
STILL = Training(dropout=0.0, precision="fp32", learning_rate=3e-3, batch_size=16)


def learners(made: Made, training: Training) -> tuple[Data, Learner, Learner]:
    from pipeline.backends.pytorch.finetune import Pupil as PyTorch
    from pipeline.backends.tensorflow.finetune import Pupil as TensorFlow

    config = Finetuning(made.task, training)
    data = Data(config, made.tokens)
    return data, PyTorch(config, made.base, data), TensorFlow(config, made.base, data)


def losses(data: Data, learner: Learner, steps: int) -> list[float]:
    groups = [group for epoch in range(-(-steps // data.steps_an_epoch)) for group in data.groups(epoch)]
    return [learner.step([data.batch(rows) for rows in group], 3e-3) for group in groups[:steps]]


@dataclass
class Compared:
    """What came of one checkpoint in both backends, PyTorch's first."""

    base: Model
    answers: list[np.ndarray]
    curves: list[list[float]]
    places: list[Path]  # of what was saved in the end
    after: np.ndarray  # what TensorFlow's answers then
    untrained: Path  # what TensorFlow saves before it trains


@pytest.fixture(scope="module", params=SIZES)
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    place = tmp_path_factory.mktemp(request.param)
    made = prepare(make_model(place / "checkpoint", request.param, **SIZES[request.param]), place)
    data, ours, theirs = both = learners(made, STILL)
    theirs.save(folder(place / "untrained"))
    answers = [learner.validate() for learner in both[1:]]
    curves = [losses(data, learner, 50) for learner in both[1:]]
    after = theirs.validate()
    ours.save(folder(place / "pytorch"))
    theirs.save(folder(place / "tensorflow"))
    return Compared(made.base, answers, curves, [place / "pytorch", place / "tensorflow"], after, place / "untrained")


def test_both_backends_answer_alike_before_training(compared: Compared) -> None:
    assert np.abs(np.subtract(*compared.answers)).max() < 1e-5
    assert compared.answers[0].std() > 1e-5


def test_both_backends_learn_alike(compared: Compared) -> None:
    assert np.abs(np.subtract(*compared.curves)).max() < 1e-3
    assert compared.curves[0][-1] < 0.8 * compared.curves[0][0], "they must have learned something"


def test_both_backends_save_the_same_kind_of_checkpoint(compared: Compared) -> None:
    first, second = (load_file(place / "model.safetensors") for place in compared.places)
    assert {name: tensor.shape for name, tensor in first.items()} == {name: t.shape for name, t in second.items()}
    first, second = (read_json(place / "config.json") for place in compared.places)
    assert first == second


def test_pytorch_answers_with_what_tensorflow_saved_as_tensorflow_did(compared: Compared, tmp_path: Path) -> None:
    from pipeline.formats.safetensors import Network

    made = prepare(compared.base.path, tmp_path)
    split = made.tokens.features("validation")
    answers = Network(compared.places[1]).run(split.inputs(np.arange(len(split))))
    assert np.abs(answers - compared.after).max() < 1e-4
    assert np.abs(compared.after - compared.answers[1]).max() > 0.1, "it must have been trained"


def test_every_tensor_of_the_checkpoint_is_used_or_known_to_be_spare(compared: Compared) -> None:
    before = load_file(compared.base.path / "model.safetensors")
    after = {
        name.partition(".")[2]: tensor for name, tensor in load_file(compared.untrained / "model.safetensors").items()
    }
    assert before.keys() - after.keys() <= {"pooler.dense.weight", "pooler.dense.bias"}
    for name in before.keys() & after.keys():
        assert np.array_equal(before[name], after[name]), name


@pytest.fixture(scope="module", params=TASKS)
def headed(
    request: pytest.FixtureRequest, ready: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Made, Compared]:
    """The same of a task, on the small BERT."""
    made, place = ready(request.param), tmp_path_factory.mktemp(request.param)
    metric = made.task.monitors[0]
    data, ours, theirs = both = learners(made, dataclasses.replace(STILL, metric=metric))
    answers = [learner.validate() for learner in both[1:]]
    curves = [losses(data, learner, 20) for learner in both[1:]]
    after = theirs.validate()
    assert apart(made, ours.validate(), after) < 1e-4
    ours.save(folder(place / "pytorch"))
    theirs.save(folder(place / "tensorflow"))
    return made, Compared(made.base, answers, curves, [place / "pytorch", place / "tensorflow"], after, place)


def test_every_head_answers_alike_in_both_backends(headed: tuple[Made, Compared]) -> None:
    made, compared = headed
    features = made.tokens.features("validation")
    rows = features.starts[-1] if HEADS[made.task.head].tokens else len(features)
    assert compared.answers[0].shape == (rows, len(made.tokens.read("labels.json")))
    assert np.abs(np.subtract(*compared.answers)).max() < 1e-5
    assert compared.answers[0].std() > 1e-5


def test_every_head_learns_alike_in_both_backends(headed: tuple[Made, Compared]) -> None:
    _, compared = headed
    assert np.abs(np.subtract(*compared.curves)).max() < 1e-3
    assert len({round(loss, 4) for loss in compared.curves[0]}) > 10
    assert np.abs(compared.after - compared.answers[0]).max() > 0.1, "it must have been trained"


def test_every_head_is_saved_alike_and_answers_in_the_other_backend(headed: tuple[Made, Compared]) -> None:
    made, compared = headed
    first, second = (load_file(place / "model.safetensors") for place in compared.places)
    assert {name: tensor.shape for name, tensor in first.items()} == {name: t.shape for name, t in second.items()}
    first, second = (read_json(place / "config.json") for place in compared.places)
    assert first == second
    for backend, place in zip(("tensorflow", "pytorch"), compared.places, strict=True):
        assert apart(made, saved(backend, place, made), compared.after) < 1e-4, backend


@pytest.mark.parametrize("name", ["classification", "tagging", "choice"])
def test_both_backends_have_and_train_as_many_parameters(name: str, ready: Callable[..., Made]) -> None:
    _, ours, theirs = learners(ready(name), dataclasses.replace(STILL, metric="loss"))
    assert ours.parameters() == theirs.parameters()
    assert 0 < ours.parameters()["trained"] < ours.parameters()["all"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tagging", {"class_weights": "balanced", "label_smoothing": 0.2}),
        ("choice", {"gradient_accumulation_steps": 2}),
        ("multilabel", {"gradient_accumulation_steps": 2, "batch_size": 7}),
    ],
    ids=str,
)
def test_what_a_batch_weighs_is_the_same_for_every_head_in_both_backends(
    name: str, settings: dict[str, Any], ready: Callable[..., Made]
) -> None:
    data, ours, theirs = learners(ready(name), dataclasses.replace(STILL, metric="loss", **settings))
    curves = losses(data, ours, 10), losses(data, theirs, 10)
    assert np.abs(np.subtract(*curves)).max() < 1e-3
    assert np.ptp(curves[0]) > 1e-3


@pytest.mark.parametrize("name", ["similarity", "roles", "questions", "choice"])
def test_heads_in_bf16_learn_nearly_alike_and_validate_in_full_precision(name: str, ready: Callable[..., Made]) -> None:
    from pipeline.backends.tensorflow.finetune import Pupil

    made, found = ready(name), []
    for precision in ("fp32", "bf16"):
        training = dataclasses.replace(STILL, metric="loss", precision=precision)
        data = Data(Finetuning(made.task, training), made.tokens)
        learner = Pupil(Finetuning(made.task, training), made.base, data)
        found.append((learner.validate(), losses(data, learner, 5)))
    assert np.abs(found[0][0] - found[1][0]).max() < 1e-6
    assert 0 < np.abs(np.subtract(found[0][1], found[1][1])).max() < 0.05


def apart(made: Made, one: np.ndarray, other: np.ndarray) -> float:
    """How far answers are apart.  Where tokens or choices are compared with each other, nothing is learned of what all
    have in common; Adam walks there as rounding errors have it."""
    if made.task.head in ("questions", "choice"):
        one, other = one - one.mean(0), other - other.mean(0)
    return float(np.abs(one - other).max())


def saved(backend: str, place: Path, made: Made) -> np.ndarray:
    """What the saved model answers to the validation split."""
    features = made.tokens.features("validation")
    if backend == "pytorch":
        from pipeline.backends.pytorch import network as networks

        return networks.answers(networks.load_saved(place), made.task.head, features, 64)
    from pipeline.backends.tensorflow import network

    net = network.load_saved(Model(place))
    run = network.compiled(net, features.inputs([0]))
    return batches.answers(run, features, 64, len(net.config["id2label"]), tokens=net.head.tokens)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Small checkpoints by model type, each kind of dropout with a rate of its own."""
    rates = {
        "hidden_dropout_prob": 0.11, "dropout": 0.12, "classifier_dropout": 0.13, "classifier_dropout_prob": 0.14,
        "qa_dropout": 0.15, "seq_classif_dropout": 0.16, "summary_last_dropout": 0.17,
    }  # fmt: skip

    @cache
    def call(kind: str) -> Path:
        return make_model(tmp_path_factory.mktemp("checkpoints") / kind, kind, **SIZES[kind], **rates)

    return call


@pytest.mark.parametrize("name", ["regression", "roles", "questions", "choice"])
@pytest.mark.parametrize("kind", SIZES)
def test_every_head_on_every_model_type_is_that_of_transformers(
    name: str, kind: str, ready: Callable[..., Made], checkpoints: Callable[[str], Path]
) -> None:
    from pipeline.backends.pytorch import network as networks
    from pipeline.backends.tensorflow import framework, network

    made = ready(name, checkpoints(kind))
    training, head = Training(metric="loss"), made.task.head
    data = Data(Finetuning(made.task, training), made.tokens)
    ours = networks.load(made.base, head, data.labels, training, data.seen).eval()
    theirs = network.load(made.base, head, data, training, mixed=False)
    assert theirs.head.architecture == type(ours).__name__
    assert {n: t.shape for n, t in theirs.tensors().items()} == {
        n: tuple(t.shape) for n, t in ours.state_dict().items()
    }
    inputs = made.tokens.features("validation").inputs(np.arange(8))
    wanted = networks.run(ours, inputs).detach().numpy()
    found = theirs(network.whole_numbers(data.renumbered(inputs))).numpy()
    assert (
        np.abs(found - wanted)[..., 0][inputs["attention_mask"].astype(bool) if wanted.ndim == 3 else ...].max() < 1e-5
    )
    body = f"{ours.base_model_prefix}."
    rates = {m.p for n, m in ours.named_modules() if type(m).__name__ == "Dropout" and not n.startswith(body)}
    layers, dropout = theirs.model.layers, framework.keras().layers.Dropout
    after = layers[max(n for n, layer in enumerate(layers) if type(layer).__name__ == "TransformerEncoder") + 1 :]
    assert {layer.rate for layer in after if isinstance(layer, dropout) and layer.rate} == rates - {0.0}


def test_a_summary_that_looks_at_padding_is_refused_by_tensorflow(ready: Callable[..., Made], tmp_path: Path) -> None:
    from pipeline.backends.tensorflow import network

    model = make_model(tmp_path / "model", "electra", embedding_size=16, summary_type="last")
    made = ready("choice", model)
    training = Training()
    with pytest.raises(
        UserError, match="summary_type=last cannot be trained with TensorFlow for choices; use backend=pyt"
    ):
        network.load(made.base, "choice", Data(Finetuning(made.task, training), made.tokens), training, mixed=False)


class Uneven(NamedTuple):
    made: Made
    curve: list[float]  # without any setting


@pytest.fixture(scope="module")
def uneven(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Uneven:
    """One label more often than the other."""
    made = prepare(tiny_model, tmp_path_factory.mktemp("uneven"), rows=95)
    data, ours, _ = learners(made, STILL)
    return Uneven(made, losses(data, ours, 20))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam"}, {"optimizer": "rmsprop"}, {"optimizer": "momentum"}, {"optimizer": "sgd"}, {"l1": 1e-4},
        {"l2": 1e-3}, {"label_smoothing": 0.2}, {"class_weights": "balanced"}, {"max_grad_norm": 0.01},
        {"gradient_accumulation_steps": 3}, {"weight_decay": 0.3},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_means_the_same_in_both_backends(uneven: Uneven, settings: dict[str, Any]) -> None:
    data, ours, theirs = learners(uneven.made, dataclasses.replace(STILL, **settings))
    curves = losses(data, ours, 20), losses(data, theirs, 20)
    assert np.abs(np.subtract(*curves)).max() < 1e-3
    assert np.abs(np.subtract(uneven.curve, curves[0])).max() > 1e-5, "it must change something"


def test_the_real_checkpoint_answers_alike(tmp_path: Path) -> None:
    from pipeline.stages.fetch import Checkpoint

    made = prepare(Path(Checkpoint().model), tmp_path)
    _, ours, theirs = learners(made, STILL)
    assert np.abs(ours.validate() - theirs.validate()).max() < 1e-4


def test_dropout_in_tensorflow_drops_as_much_as_it_should_and_keeps_the_mean() -> None:
    from pipeline.backends.tensorflow import framework, layers

    tf = framework.tensorflow()
    noise = layers.Noise(1)
    layer = framework.keras().layers.Dropout(0.1)
    drop = tf.function(layers._dropout(layer, noise), autograph=False)
    noise.begin()
    values = drop(tf.ones([1_000_003]), training=True).numpy()
    assert (values == 0).mean() == pytest.approx(26 / 256, abs=2e-3)
    assert values.mean() == pytest.approx(1, abs=2e-3)
    noise.begin()
    assert not np.array_equal(values, drop(tf.ones([1_000_003]), training=True).numpy())
    assert drop(tf.ones([10]), training=False).numpy().tolist() == [1.0] * 10


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "deberta-v2"}, "a deberta-v2 model cannot be trained with TensorFlow here; albert, bert, .* can"),
        ({"hidden_act": "gelu_10"}, "its activation gelu_10 is not known to TensorFlow here; gelu, .*; use backend=pytorch"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type=relative_key cannot be trained"),
        ({"is_decoder": True}, "is_decoder=True cannot be trained with TensorFlow; use backend=pytorch"),
        ({"num_hidden_layers": 1}, "has tensors that TensorFlow's network lacks: bert.encoder.layer.1"),
        ({"num_hidden_layers": 3}, "lacks tensors: bert.encoder.layer.2"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_model_that_keras_hub_cannot_compute_is_refused(
    made: Made, tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    from pipeline.backends.tensorflow import finetune

    shutil.copytree(made.base.path, tmp_path / "base")
    found = {**made.base.read("config.json"), **config}
    (tmp_path / "base" / "config.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        finetune(
            Finetuning(Classification(), Training(epochs=1)), folder(tmp_path / "out"), base=Model(tmp_path / "base"), tokens=made.tokens
        )  # fmt: skip


@pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])
@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        ({"intermediate_size": 48}, {}, r"layer.0.intermediate.dense.\w+ is of shape \(64.* but by config.json of \(48"),
        ({"vocab_size": 100}, {}, "its tokenizer gives ids up to \\d+, its word embedding has 100 rows; get it again"
         "|word_embeddings.weight is of shape"),
        ({"hidden_dropout_prob": None, "attention_probs_dropout_prob": None, "classifier_dropout": None}, {"dropout": 0.5},
         "training.dropout: config.json of the base model names no dropout; leave it out"),
    ],
    ids=["shape", "vocabulary", "dropout"],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_its_configuration_is_refused(
    made: Made, tmp_path: Path, backend: backends.Name, config: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    shutil.copytree(made.base.path, tmp_path / "base")
    changed = {**made.base.read("config.json"), **config}
    kept = {name: value for name, value in changed.items() if name not in config or value is not None}
    (tmp_path / "base" / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    training = Finetuning(Classification(), Training(epochs=1, **settings))
    with pytest.raises(UserError, match=message):
        backends.load(backend).finetune(
            training, folder(tmp_path / "out"), base=Model(tmp_path / "base"), tokens=made.tokens
        )


def test_a_model_that_was_not_saved_whole_is_refused(compared: Compared, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from pipeline.backends.tensorflow import network

    shutil.copytree(compared.places[1], tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    last = next(name for name in tensors if name.endswith("bias") and name.startswith("classifier"))
    save_file({name: t for name, t in tensors.items() if name != last}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(UserError, match=f"model.safetensors lacks {last} of shape .*; it was not saved whole"):
        network.load_saved(Model(tmp_path / "model"))


def test_checkpoints_in_pieces_and_in_half_precision_are_read(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(tiny_model).to(torch.bfloat16)
    shutil.copytree(tiny_model, tmp_path / "pieces")
    (tmp_path / "pieces" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "pieces", max_shard_size="20KB")
    assert len(list((tmp_path / "pieces").glob("model-*.safetensors"))) > 1
    made = prepare(tmp_path / "pieces", tmp_path)
    _, ours, theirs = learners(made, STILL)
    assert np.abs(ours.validate() - theirs.validate()).max() < 1e-5


def test_training_with_tensorflow_imports_no_torch_and_says_nothing(made: Made, tmp_path: Path) -> None:
    out, predictions = folder(tmp_path / "out"), folder(tmp_path / "predictions")
    script = f"""
import sys
from pathlib import Path
from pipeline.artifacts import Model, Tokens
from pipeline.backends import Asking, Finetuning, Prediction, Training
from pipeline.backends.tensorflow import finetune, predict
from pipeline.tasks.classification import Classification
tokens = Tokens(Path({str(made.tokens.path)!r}))
base = Model(Path({str(made.base.path)!r}))
model = finetune(Finetuning(Classification(), Training(epochs=1)), Path({str(out)!r}), base=base, tokens=tokens)
predict(Asking('classification', Prediction()), Path({str(predictions)!r}), model=model, tokens=tokens)
print({{"torch", "tensorflow"}} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=surroundings(tmp_path), capture_output=True, text=True
    )
    assert done.stdout.strip() == "{'tensorflow'}", done.stderr
    assert not done.stderr.strip()


def test_keras_on_another_backend_is_refused(tmp_path: Path) -> None:
    script = "import os; os.environ['KERAS_BACKEND'] = 'torch'; import keras\n"
    script += "from pipeline.backends.tensorflow import framework; framework.keras()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=surroundings(tmp_path), capture_output=True, text=True
    )
    assert "UserError: Keras runs on torch in this process" in done.stderr


def test_the_recipe_runs_with_tensorflow_and_its_model_is_the_same_kind_of_folder(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    done = cli("run", "sentiment", *quick(reviews, tiny_model, "backend=tensorflow"))
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), "frameworks must be quiet"
    for name in ("safetensors", "onnx"):
        assert f"{name}: 32 validation rows agree" in done.stdout
    again = cli("run", "sentiment", *quick(reviews, tiny_model, "backend=tensorflow"))
    assert "made in" not in again.stdout


def test_a_model_that_a_backend_cannot_train_is_refused_before_any_work(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(tiny_model, tmp_path / "other")
    told = (other / "config.json").read_text(encoding="utf-8")
    (other / "config.json").write_text(told.replace('"bert"', '"mpnet"'), encoding="utf-8")
    done = cli("run", "sentiment", *quick(reviews, other, "backend=tensorflow"))
    assert done.returncode == 2
    assert "other: a mpnet model cannot be trained with this backend; albert, bert, " in done.stderr
    assert "made in" not in done.stdout


def test_a_run_with_pytorch_never_imports_tensorflow(home: Path, reviews: Path, tiny_model: Path) -> None:
    script = f"""
import sys
from pipeline.cli import main
code = main(["run", "sentiment", *{quick(reviews, tiny_model)!r}])
print({{"tensorflow", "keras", "torch"}} & set(sys.modules))
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=surroundings(home), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'torch'}"
