"""Networks from before Transformers: the same in both backends, whatever the padding, from the same first weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Model, Predictions
from pipeline.backends import Asking, Finetuning, Prediction, Training, classical
from pipeline.backends.data import Data
from pipeline.errors import UserError
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks import Task
from pipeline.tasks.classification import Classification
from tests.backends.conftest import Made, folder, prepare
from tests.conftest import Cli, quick, read_json

KINDS = pytest.mark.parametrize("kind", ["mlp", "cnn", "lstm"])
BACKENDS = pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])

# Where two places of a text are equally strong but for rounding, a maximum over time picks either, and the gradient
# goes another way: seldom, and it moved a loss by 2e-5.
CLOSE = {"mlp": 1e-5, "cnn": 1e-3, "lstm": 1e-5}


def scratch(kind: str, made: Made, place: Path) -> Made:
    """The same corpus and tokens, with a network of this kind to be trained from scratch."""
    base = fetch(Fetching(Checkpoint(str(made.base.path), architecture=kind)), folder(place / f"base-{kind}"))
    return Made(base, made.corpus, made.tokens, made.task)


def settings(task: Task, **changes: Any) -> Finetuning:
    quickly = {"epochs": 8, "batch_size": 16, "learning_rate": 5e-3, "precision": "fp32"}
    return Finetuning(task, Training(**{**quickly, "metric": "loss", **changes}))


def pupil(backend: str, made: Made, **changes: Any) -> tuple[Any, Data]:
    from pipeline.backends.pytorch.finetune import Pupil as Torch
    from pipeline.backends.tensorflow.finetune import Pupil as Keras

    config = settings(made.task, **changes)
    data = Data(config, made.tokens)
    return {"pytorch": Torch, "tensorflow": Keras}[backend](config, made.base, data), data


def trained(backend: str, made: Made, out: Path, **changes: Any) -> Model:
    from pipeline.backends import pytorch, tensorflow

    finetune = {"pytorch": pytorch, "tensorflow": tensorflow}[backend].finetune
    return finetune(settings(made.task, **changes), folder(out), base=made.base, tokens=made.tokens)


def predicted(backend: str, made: Made, model: Model, out: Path) -> dict[str, np.ndarray]:
    from pipeline.backends import pytorch, tensorflow

    predict = {"pytorch": pytorch, "tensorflow": tensorflow}[backend].predict
    found = predict(Asking(made.task.head, Prediction()), folder(out), model=model, tokens=made.tokens)
    return {split: np.load(found.path / f"{split}.npy") for split in ("validation", "test")}


def monitored(made: Made, logits: np.ndarray) -> dict[str, float]:
    return made.task.monitor(logits, made.tokens.features("validation"), made.tokens.read("labels.json"))


def answering(backend: str, model: Model) -> Any:
    """``run(ids, mask)``: the saved model's logits."""
    from pipeline.backends.tensorflow import network
    from pipeline.formats.safetensors import Network

    names = ("input_ids", "attention_mask")
    run = Network(model.path).run if backend == "pytorch" else network.compiled(network.load_saved(model), names)
    return lambda *values: run(dict(zip(names, values, strict=True)))


def some_words(made: Made, *shape: int) -> np.ndarray:
    """Token ids of the training texts, at random: all others are zero to such a network."""
    return np.random.default_rng(list(shape)).choice(made.tokens.features("train").vocabulary().astype(np.int64), shape)


@pytest.fixture(scope="module")
def models(made: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Made, Model]]:
    """One of each kind, trained for an epoch with PyTorch."""
    place = tmp_path_factory.mktemp("classical")
    found = {}
    for kind in classical.KINDS:
        ready = scratch(kind, made, place)
        found[kind] = ready, trained("pytorch", ready, place / kind, epochs=1)
    return found


@KINDS
def test_fetch_keeps_the_tokenizer_and_describes_a_network_without_weights(
    kind: str, made: Made, tmp_path: Path
) -> None:
    base = scratch(kind, made, tmp_path).base
    names = {file.name for file in base.path.iterdir()}
    assert names == {"config.json", "source.json", "tokenizer.json", "tokenizer_config.json"}
    config = base.read("config.json")
    assert config["model_type"] == f"text-{kind}"
    assert config["vocab_size"] == made.base.read("config.json")["vocab_size"]
    assert config["pad_token_id"] == 0


def test_a_base_needs_neither_weights_nor_a_configuration_to_lend_its_tokenizer(
    tiny_model: Path, tmp_path: Path
) -> None:
    bare = folder(tmp_path / "bare")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tiny_model / name, bare / name)
    assert fetch(Fetching(Checkpoint(str(bare), architecture="mlp")), folder(tmp_path / "out")).read("config.json")
    with pytest.raises(UserError, match=r"has no tokenizer; put its tokenizer.json"):
        fetch(Fetching(Checkpoint(str(folder(tmp_path / "empty")), architecture="mlp")), folder(tmp_path / "none"))


def test_weights_that_are_not_used_do_not_count(tiny_model: Path) -> None:
    assert "model.safetensors" in Checkpoint(str(tiny_model)).depends()["model"]
    stands = Checkpoint(str(tiny_model), architecture="cnn").depends()["model"]
    assert "model.safetensors" not in stands and "tokenizer.json" in stands


def test_texts_of_any_length_can_be_taken(made: Made, tmp_path: Path) -> None:
    base = scratch("cnn", made, tmp_path).base  # the tokenizer of a model that takes 64 tokens
    tokens = tokenize(Tokenization(Classification(), 900), folder(tmp_path / "long"), base=base, corpus=made.corpus)
    assert tokens.read("tokens.json")["max_length"] == 900
    with pytest.raises(UserError, match=r"max_length=2: the base model takes texts of 3 tokens or more"):
        tokenize(Tokenization(Classification(), 2), folder(tmp_path / "short"), base=base, corpus=made.corpus)


def test_an_architecture_that_there_is_not_is_refused_with_those_there_are(cli: Cli) -> None:
    done = cli("show", "sentiment", "base.architecture=rnn")
    assert done.returncode == 2
    assert "base.architecture=rnn: expected transformer or mlp or cnn or lstm" in done.stderr


def test_such_a_network_is_no_base_to_fine_tune(models: dict[str, tuple[Made, Model]], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a text-cnn model is no base to fine-tune; base.architecture=cnn"):
        fetch(Fetching(Checkpoint(str(models["cnn"][1].path))), folder(tmp_path / "out"))


@KINDS
def test_first_weights_are_of_the_right_size_and_unseen_words_say_nothing(kind: str) -> None:
    config = {**classical.configuration(kind, 50, 0), "id2label": {"0": "a", "1": "b", "2": "c"}}
    weights = classical.weights(config, 17, np.arange(10, 40))
    assert {name: tensor.shape for name, tensor in weights.items()} == classical.shapes(config)
    words = weights[classical.WORDS]
    assert not words[:10].any() and not words[40:].any() and words[10:40].all()
    for name, tensor in weights.items():
        if name.endswith("_l0") and "bias_ih" in name:
            assert tensor.reshape(4, -1).tolist() == [[value] * len(tensor.reshape(4, -1)[0]) for value in (0, 1, 0, 0)]
        elif "bias" in name:
            assert not tensor.any()
        elif name.startswith("classifier"):
            bound = (6 / (tensor.shape[0] + tensor.shape[1])) ** 0.5  # Glorot & Bengio 2010
            assert 0.9 * bound < abs(tensor).max() <= bound


@pytest.mark.slow
@KINDS
def test_both_backends_train_alike(kind: str, made: Made, tmp_path: Path) -> None:
    ready = scratch(kind, made, tmp_path)
    (torch, data), (keras, _) = (pupil(name, ready, dropout=0.0) for name in ("pytorch", "tensorflow"))
    assert np.abs(torch.validate() - keras.validate()).max() < 1e-5
    groups = [group for epoch in range(4) for group in data.groups(epoch)][:20]
    assert len(groups) == 20
    for number, group in enumerate(groups):
        batches = [data.batch(rows) for rows in group]
        rate = 1e-3 * (number + 1) / 20
        assert torch.step(batches, rate) == pytest.approx(keras.step(batches, rate), abs=CLOSE[kind])
    before, after = torch.validate(), keras.validate()
    assert np.abs(before - after).max() < CLOSE[kind]
    assert np.abs(before).max() > 1e-3


@pytest.mark.slow
@KINDS
@BACKENDS
def test_a_saved_model_answers_the_same_in_the_other_backend(
    kind: str, backend: str, made: Made, tmp_path: Path
) -> None:
    ready = scratch(kind, made, tmp_path)
    model = trained(backend, ready, tmp_path / "model", epochs=1)
    mine, others = (
        predicted(name, ready, model, tmp_path / name) for name in sorted(["pytorch", "tensorflow"], key=backend.__ne__)
    )
    for split in mine:
        assert np.abs(mine[split] - others[split]).max() < 1e-5
    assert monitored(made, mine["validation"]) == pytest.approx(model.read("history.json")["validation"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pairs", "multilabel", "regression", "similarity"])
@KINDS
def test_every_task_with_one_answer_a_text_is_learned_alike(
    name: str, kind: str, ready: Callable[..., Made], tmp_path: Path
) -> None:
    made = scratch(kind, ready(name), tmp_path)
    encoded = tokenize(Tokenization(made.task, 64), folder(tmp_path / "tokens"), base=made.base, corpus=made.corpus)
    made = made._replace(tokens=encoded)
    assert encoded.features("train").types is None, "it knows no token types"
    learners = [pupil(name, made, dropout=0.0) for name in ("pytorch", "tensorflow")]
    data = learners[0][1]
    for rows in data.groups(0):
        batches = [data.batch(part) for part in rows]
        ours, theirs = (learner.step(batches, 1e-3) for learner, _ in learners)
        assert ours == pytest.approx(theirs, abs=CLOSE[kind])
    ours, theirs = (learner.validate() for learner, _ in learners)
    assert np.abs(ours - theirs).max() < CLOSE[kind]
    assert np.abs(ours).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tagging", "questions", "choice"])
@BACKENDS
def test_a_task_that_needs_more_than_one_answer_a_text_is_refused(
    name: str, backend: str, ready: Callable[..., Made], tmp_path: Path
) -> None:
    made = scratch("cnn", ready(name), tmp_path)
    with pytest.raises(UserError, match=f"mlp, cnn and lstm cannot do {made.task.head}; use base.architecture=trans"):
        pupil(backend, made)


@pytest.mark.slow
@KINDS
@BACKENDS
def test_neither_padding_nor_neighbours_change_an_answer(
    kind: str, backend: str, models: dict[str, tuple[Made, Model]]
) -> None:
    made, model = models[kind]
    run = answering(backend, model)
    lengths = [1, 2, 3, 4, 5, 9, 30]  # the first are shorter than the widest filter
    ids, mask = np.zeros((len(lengths), 40), np.int64), np.zeros((len(lengths), 40), np.int64)
    for row, length in enumerate(lengths):
        ids[row, :length], mask[row, :length] = some_words(made, length), 1
    together = run(ids, mask)
    for row, length in enumerate(lengths):
        alone = run(ids[row : row + 1, :length], mask[row : row + 1, :length])
        assert np.abs(alone[0] - together[row]).max() < 1e-6
    rubbish = np.where(mask == 1, ids, some_words(made, 40))
    assert np.abs(run(rubbish, mask) - together).max() < 1e-6
    assert np.ptp(together, axis=0).min() > 1e-3


@pytest.mark.slow
def test_the_order_of_words_counts_but_for_their_mean(models: dict[str, tuple[Made, Model]]) -> None:
    for kind, (made, model) in models.items():
        ids = some_words(made, 1, 12)
        run = answering("pytorch", model)
        difference = np.abs(run(ids, np.ones_like(ids)) - run(ids[:, ::-1].copy(), np.ones_like(ids))).max()
        assert difference < 1e-6 if kind == "mlp" else difference > 1e-4


@pytest.mark.slow
@KINDS
@BACKENDS
def test_the_toy_reviews_are_learned(kind: str, backend: str, made: Made, tmp_path: Path) -> None:
    history = trained(backend, scratch(kind, made, tmp_path), tmp_path / "model").read("history.json")
    assert history["validation"]["accuracy"] > 0.9


@pytest.mark.slow
@KINDS
@BACKENDS
def test_words_that_no_training_text_has_stay_at_zero(
    kind: str, backend: str, tiny_model: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    made = prepare(tiny_model, tmp_path, rows=8)
    seen, validation = (set(made.tokens.features(split).vocabulary().tolist()) for split in ("train", "validation"))
    assert validation - seen
    ready = scratch(kind, made, tmp_path)
    model = trained(backend, ready, tmp_path / "model", epochs=3, l1=1e-4, l2=1e-4)
    words = load_file(model.path / "model.safetensors")[classical.WORDS]
    assert len(words) == ready.base.read("config.json")["vocab_size"]
    assert {i for i, word in enumerate(words) if word.any()} == seen


@pytest.mark.slow
@KINDS
@BACKENDS
def test_bf16_trains_and_validates_in_full_precision(kind: str, backend: str, made: Made, tmp_path: Path) -> None:
    ready = scratch(kind, made, tmp_path)
    model = trained(backend, ready, tmp_path / "model", precision="bf16")
    history = model.read("history.json")
    assert history["validation"]["accuracy"] > 0.9
    logits = predicted(backend, ready, model, tmp_path / "predictions")["validation"]
    assert monitored(made, logits) == pytest.approx(history["validation"], abs=1e-5)


@pytest.mark.slow
@KINDS
def test_exports_pass_their_checks_for_any_batch_and_length(
    kind: str, models: dict[str, tuple[Made, Model]], tmp_path: Path
) -> None:
    from pipeline.formats import Export, chosen
    from pipeline.stages.export import Packaging, export

    ready, model = models[kind]
    predicted("pytorch", ready, model, tmp_path / "predictions")
    wanted = Export(formats=("safetensors", "onnx", "savedmodel", *(("litert",) if kind != "lstm" else ())))
    bundle = export(
        Packaging(wanted, ready.task, chosen(wanted)), folder(tmp_path / "bundle"), model=model,
        predictions=Predictions(tmp_path / "predictions"), tokens=ready.tokens, corpus=ready.corpus,
    )  # fmt: skip
    assert bundle.read("exports.json")["onnx"]["largest_difference"] < 1e-5
    run = answering("pytorch", model)
    for form in chosen(wanted)[1:]:
        exported = form.load(bundle.path / form.name)
        for shape in ((1, 1), (1, 2), (3, 70), (40, 7)):
            ids = some_words(ready, *shape)
            found = exported.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
            assert np.abs(found - run(ids, np.ones_like(ids))).max() < 1e-5, (form.name, shape)


@pytest.mark.slow
def test_a_format_that_cannot_do_a_network_says_so(models: dict[str, tuple[Made, Model]], tmp_path: Path) -> None:
    from pipeline.formats.litert import LiteRT

    with pytest.raises(UserError, match="its converter cannot do a text-lstm of any batch size; leave litert out"):
        LiteRT.write(models["lstm"][1].path, tmp_path / "out", None)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_run_ends_with_a_card_whose_example_runs(cli: Cli, home: Path, reviews: Path, tiny_model: Path) -> None:
    done = cli("run", "sentiment", *quick(reviews, tiny_model, "base.architecture=mlp", "training.epochs=8"))
    assert done.returncode == 0, done.stderr
    results = home / "results" / "sentiment"
    card = (results / "README.md").read_text(encoding="utf-8")
    assert "trained from scratch with the tokenizer of a local checkpoint" in card
    assert "base_model" not in card and "Fine-tuned" not in card and "library_name: onnx" in card
    code = card.partition("```python\n")[2].partition("```")[0]
    for name, file in (("PATH OF tokenizer.json", "onnx/tokenizer.json"), ("PATH OF model.onnx", "onnx/model.onnx")):
        assert name in code
        code = code.replace(name, str(results / file))
    for line in (results / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:4]:
        row = json.loads(line)
        said: list[str] = []
        exec(code.replace('"…"', repr(row["text"])), {"print": said.append})
        assert said == [row["label"]]
    assert read_json(results / "scores.json")["test"]["accuracy"] > 0.8
