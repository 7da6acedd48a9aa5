"""Adapters: little is learned, and the base with what was learned is the model."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline import backends
from pipeline.artifacts import Model
from pipeline.backends import Asking, Finetuning, Prediction, Training, predicted
from pipeline.errors import UserError
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks.classification import Classification
from tests.backends.conftest import EVERY, Made, folder, prepare
from tests.backends.test_finetune import kill
from tests.conftest import ROOT, Cli, make_model, make_writer, quick, surroundings

pytestmark = pytest.mark.slow
LORA: dict[str, Any] = {
    "adapter": "lora", "epochs": 2, "batch_size": 16, "learning_rate": 1e-2, "precision": "fp32", "metric": "loss",
}  # fmt: skip
SHAPES = {
    "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p"]},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "electra": {"embedding_size": 16},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 80},
    "roberta": {},
}
WRITERS = {"seq2seq": "AutoModelForSeq2SeqLM", "causal": "AutoModelForCausalLM", "masked": "AutoModelForMaskedLM"}


def train(made: Made, out: Path, **settings: Any) -> Model:
    config = Finetuning(made.task, Training(**{**LORA, **settings}))
    return backends.load("pytorch").finetune(config, folder(out), base=made.base, tokens=made.tokens)


def adapted(base: Path, model: Model) -> Any:
    """The network of transformers that peft makes of a base and the adapter beside ``model``."""
    import transformers
    from peft import PeftModel

    config = transformers.AutoConfig.from_pretrained(model.path)
    kind = getattr(transformers, config.architectures[0])
    found = kind.from_pretrained(base, config=config, ignore_mismatched_sizes=True)
    return PeftModel.from_pretrained(found, model.path / "adapter").merge_and_unload().eval()


def apart(made: Made, base: Path, model: Model) -> float:
    """How far the answers of base and adapter are from those of the merged model."""
    import torch

    from pipeline.backends.pytorch import network

    features, asked = made.tokens.features("validation"), predicted.ASKED.get(made.task.head)
    inputs = asked(features, np.arange(16))[0] if asked else features.inputs(np.arange(16))
    with torch.inference_mode():
        merged = network.run(network.load_saved(model.path).eval(), inputs)
        assert merged.std() > 0
        return float((network.run(adapted(base, model), inputs) - merged).abs().max())


BASES = {"seq2seq": "t5", "causal": "llama", "text": "gpt2"}


@pytest.mark.parametrize("name", EVERY)
def test_base_and_adapter_of_every_task_answer_as_the_merged_model(
    name: str, ready: Callable[..., Made], tmp_path: Path
) -> None:
    made = ready(name, make_writer(tmp_path / "base-model", BASES[name])) if name in BASES else ready(name)
    model = train(made, tmp_path / "model", epochs=4)
    assert apart(made, made.base.path, model) < 1e-5
    at = backends.load("pytorch").predict(
        Asking(made.task.head, Prediction()), folder(tmp_path / "predictions"), model=model, tokens=made.tokens
    )
    logits, features = np.load(at.path / "validation.npy"), made.tokens.features("validation")
    found = made.task.monitor(logits, features, made.tokens.read("labels.json"))
    assert found == pytest.approx(model.read("history.json")["validation"], abs=1e-3)


@pytest.mark.parametrize("method", ["rslora", "dora"])
@pytest.mark.parametrize("kind", SHAPES)
def test_every_method_adapts_every_kind_of_network(kind: str, method: str, tmp_path: Path) -> None:
    made = prepare(make_model(tmp_path / "base-model", kind, **SHAPES[kind]), tmp_path)
    model = train(made, tmp_path / "model", adapter=method, adapter_dropout=0.1)
    assert apart(made, made.base.path, model) < 1e-5
    learned = load_file(model.path / "adapter" / "adapter_model.safetensors")
    assert all(tensor.any() for name, tensor in learned.items() if ".lora_B." in name)


def test_an_adapter_learns_and_tells_how_little_it_trains(made: Made, tmp_path: Path, told: list[str]) -> None:
    history = train(made, tmp_path, epochs=16, adapter_modules=("all-linear",)).read("history.json")
    assert history["validation"]["accuracy"] > 0.8
    trained, whole = history["parameters"]["trained"], history["parameters"]["all"]
    assert f"lora: {trained:,} of {whole:,} parameters are trained" in told
    layers = [(32, 32)] * 4 + [(32, 64), (64, 32)]  # of attention, and behind it
    assert trained == 2 * 8 * sum(map(sum, layers)) + 8 * (32 + 32) + 32 * 2 + 2  # the pooler, and a new head


def test_without_an_adapter_all_is_trained_but_words_that_no_text_has(made: Made, tmp_path: Path) -> None:
    counted = train(made, tmp_path, adapter="none", epochs=1).read("history.json")["parameters"]
    vocabulary = made.base.read("config.json")["vocab_size"]
    used = set().union(*(made.tokens.features(split).vocabulary().tolist() for split in ("train", "validation")), [0])
    assert counted["all"] - counted["trained"] == (vocabulary - len(used)) * 32
    assert not (tmp_path / "adapter").exists()


def test_only_what_is_adapted_changes(made: Made, tmp_path: Path) -> None:
    model = train(made, tmp_path, adapter_modules=("key", "attention.output.dense"))
    before, after = (load_file(place / "model.safetensors") for place in (made.base.path, model.path))
    changed = {name for name, tensor in before.items() if not np.array_equal(tensor, after[f"bert.{name}"])}
    parts = ("attention.self.key.weight", "attention.output.dense.weight")
    assert changed == {f"encoder.layer.{number}.{part}" for number in (0, 1) for part in parts}
    kept = load_file(model.path / "adapter" / "adapter_model.safetensors")
    assert {name.rpartition(".lora_")[0] or name for name in kept} == {
        *(f"base_model.model.bert.{name.removesuffix('.weight')}" for name in changed),
        "base_model.model.classifier.weight",
        "base_model.model.classifier.bias",
    }


def test_the_optimizer_holds_what_is_trained_and_nothing_else(made: Made) -> None:
    from pipeline.backends.data import Data
    from pipeline.backends.pytorch.finetune import Pupil

    config = Finetuning(Classification(), Training(**LORA))
    pupil = Pupil(config, made.base, Data(config, made.tokens))
    held = sum(p.numel() for group in pupil.optimizer.param_groups for p in group["params"])
    assert held == pupil.parameters()["trained"] == sum(tensor.size for tensor in pupil.weights().values())


@pytest.mark.parametrize(("method", "at"), [("lora", 13), ("dora", 3)])
def test_a_killed_training_of_an_adapter_ends_as_one_that_was_not(
    method: str, at: int, made: Made, tmp_path: Path
) -> None:
    settings = {**LORA, "adapter": method, "epochs": 3, "adapter_dropout": 0.1}
    whole = train(made, tmp_path / "whole", **settings)
    kill(backends.load("pytorch"), made, tmp_path / "killed", at, **settings)
    left = list((tmp_path / "killed" / ".resume").glob("*.safetensors"))
    assert len(left) == 1 if at == 3 else len(left) > 1  # and the weights of the best epochs
    assert max(file.stat().st_size for file in left) < (whole.path / "model.safetensors").stat().st_size / 2
    again = train(made, tmp_path / "killed", **settings)
    for name in (
        "model.safetensors",
        "history.json",
        "adapter/adapter_model.safetensors",
        "adapter/adapter_config.json",
    ):
        assert (again.path / name).read_bytes() == (whole.path / name).read_bytes(), name


def test_the_layer_that_holds_the_mean_goes_with_the_adapter(ready: Callable[..., Made], tmp_path: Path) -> None:
    made = ready("classification")
    plain = folder(tmp_path / "plain")
    shutil.copytree(made.base.path, plain, dirs_exist_ok=True)
    pooled = fetch(Fetching(Checkpoint(str(plain), pooling="mean")), folder(tmp_path / "pooled"))
    model = train(made._replace(base=pooled), tmp_path / "model")
    config = model.read("adapter/adapter_config.json")
    assert config["modules_to_save"] == ["bert.encoder.layer.2", "bert.pooler.dense", "classifier"]
    assert apart(made, plain, model) < 1e-5


def named(made: Made, place: Path) -> Made:
    """The same, from a base that the Hub has."""
    base = Model(Path(shutil.copytree(made.base.path, place)))
    base.write("source.json", {"model": "owner/tiny", "revision": "a" * 40})
    return made._replace(base=base)


def test_an_adapter_names_its_base_by_its_id_and_never_by_a_path(made: Made, tmp_path: Path) -> None:
    known = train(named(made, tmp_path / "base"), tmp_path / "known").read("adapter/adapter_config.json")
    assert (known["base_model_name_or_path"], known["revision"]) == ("owner/tiny", "a" * 40)
    model = train(made, tmp_path / "unknown")
    assert model.read("adapter/adapter_config.json")["base_model_name_or_path"] == ""
    for file in (model.path / "adapter").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes()
        assert str(made.base.path).encode() not in file.read_bytes()


def test_a_base_that_was_fine_tuned_before_is_not_that_of_the_hub(made: Made, tmp_path: Path) -> None:
    first = train(named(made, tmp_path / "base"), tmp_path / "first", adapter="none")
    assert first.read("source.json")["model"] == "owner/tiny"
    second = train(made._replace(base=first), tmp_path / "second")
    assert second.read("adapter/adapter_config.json")["base_model_name_or_path"] == ""
    assert apart(made, first.path, second) < 1e-5


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (("query", "valeu"), "adapter_modules=valeu: the model has no such linear layer; did you mean 'value'?"),
        (("c_attn",), "adapter_modules=c_attn: the model has no such linear layer; there are dense, key, query, value"),
        (("classifier",), "adapter_modules=classifier: the model has no such linear layer; there are"),
        (("word_embeddings",), "adapter_modules=word_embeddings: the model has no such linear layer; there are"),
    ],
)
def test_layers_that_the_model_lacks_are_refused(
    modules: tuple[str, ...], message: str, made: Made, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="training." + message.replace("?", r"\?")):
        train(made, tmp_path, adapter_modules=modules)


def test_a_network_that_is_trained_from_scratch_has_nothing_to_adapt(
    made: Made, tiny_model: Path, tmp_path: Path
) -> None:
    base = fetch(Fetching(Checkpoint(str(tiny_model), architecture="cnn")), folder(tmp_path / "base"))
    with pytest.raises(UserError, match=r"training\.adapter=lora: mlp, cnn and lstm are learned from scratch"):
        train(made._replace(base=base), tmp_path / "model")


def test_a_decoder_that_is_made_of_an_encoder_is_refused(made: Made) -> None:
    from transformers import AutoModel, EncoderDecoderModel

    from pipeline.backends.pytorch import adapters

    encoder = AutoModel.from_pretrained(made.base.path)
    net = EncoderDecoderModel.from_encoder_decoder_pretrained(made.base.path, made.base.path)
    assert encoder.config.model_type != net.config.model_type
    with pytest.raises(
        UserError, match=r"training\.adapter=lora: what is made anew of a bert model for seq2seq has to be"
    ):
        adapters.attach(net, made.base, "seq2seq", Training(adapter="lora"))


def test_a_decoder_that_is_made_anew_is_refused(ready: Callable[..., Made], tmp_path: Path) -> None:
    made = ready("causal", make_writer(tmp_path / "llama", "llama"))
    base = fetch(Fetching(Checkpoint("anew")), folder(tmp_path / "base"))
    tokens = tokenize(Tokenization(made.task, 64), folder(tmp_path / "tokens"), base=base, corpus=made.corpus)
    with pytest.raises(
        UserError, match=r"training\.adapter=lora: what is made anew of a llama model for causal has to be"
    ):
        train(made._replace(base=base, tokens=tokens), tmp_path / "model")


@pytest.mark.parametrize(
    ("kind", "head", "sizes", "whole"),
    [
        ("t5", "seq2seq", {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}, None),
        ("gpt2", "causal", SHAPES["gpt2"], None),
        ("llama", "causal", {"num_key_value_heads": 1}, ["lm_head"]),
        ("bert", "masked", {},
         ["cls.predictions.transform.LayerNorm", "cls.predictions.transform.dense"]),
    ],
    ids=["t5", "gpt2", "llama", "bert"],
)  # fmt: skip
def test_of_networks_that_write_the_word_embedding_is_left_to_the_base(
    kind: str, head: str, sizes: dict[str, Any], whole: list[str] | None, tmp_path: Path
) -> None:
    """A bare body as base, so that an output of its own is new."""
    import torch
    import transformers

    from pipeline.backends.pytorch import adapters

    base = Model(make_model(tmp_path / "base", kind, **{"decoder_start_token_id": 0, **sizes}))
    base.write("source.json", {"model": "", "revision": ""})
    made = getattr(transformers, WRITERS[head])
    net, report = made.from_pretrained(base.path, output_loading_info=True)
    net.new_tensors = frozenset(report["missing_keys"])
    adapter = adapters.attach(net, base, head, Training(adapter="lora"))
    ids = torch.arange(5, 12).repeat(2, 1)
    inputs = {"input_ids": ids, "labels": ids}
    with torch.no_grad():
        for weight in net.parameters():
            if weight.requires_grad:
                weight += 0.05
        wanted = net.eval()(**inputs).logits
        adapters.save(adapter, folder(tmp_path / "model"))
        net.save_pretrained(tmp_path / "model")
        model = Model(tmp_path / "model")
        assert model.read("adapter/adapter_config.json")["modules_to_save"] == whole
        for found in (made.from_pretrained(model.path).eval(), adapted(base.path, model)):
            assert (found(**inputs).logits - wanted).abs().max() < 1e-5


def test_tensorflow_refuses_an_adapter_before_any_work(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path, made: Made, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "backend=tensorflow", "training.adapter=lora")
    done = cli("run", "sentiment", *settings)
    assert done.returncode == 2
    message = "training.adapter=lora: with backend=tensorflow it is none; or use backend=pytorch"
    assert f"error: {message}" in done.stderr
    assert not (home / ".store").exists() or "making" not in done.stdout
    with pytest.raises(UserError, match=message):
        config = Finetuning(Classification(), Training(adapter="lora"))
        backends.load("tensorflow").finetune(config, tmp_path, base=made.base, tokens=made.tokens)


def test_an_adapter_comes_out_of_a_run_and_its_card_shows_how_to_use_it(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "training.adapter=lora", "training.metric=loss")
    done = cli("run", "sentiment", *settings)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), "frameworks must be quiet"
    results = home / "results" / "sentiment"
    assert {file.name for file in (results / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert not (results / "model" / "adapter").exists()
    card = (results / "README.md").read_text(encoding="utf-8")
    assert "library_name: transformers" in card and "LoRA of rank 8 with alpha 16" in card
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    script = script.replace("sentence-transformers/all-MiniLM-L6-v2", str(tiny_model))
    assert "PeftModelForSequenceClassification" in printed(script + "print(type(model))", home)
    done = cli("run", "sentiment", *settings, "publication.weights=adapter")
    assert done.stdout.count("made in") == 1, done.stdout
    card = (results / "README.md").read_text(encoding="utf-8")
    assert "library_name: peft" in card and "An adapter for a local checkpoint" in card
    merge, use = re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE)
    published = folder(tmp_path / "published")
    for file in (*(results / "model").iterdir(), *(results / "adapter").iterdir()):
        if file.name != "model.safetensors":
            shutil.copyfile(file, published / file.name)
    merge = merge.replace("PATH OR ID OF THIS ADAPTER", str(published))
    merge = merge.replace("PATH OR ID OF THE BASE MODEL", str(tiny_model))
    found = [printed(script, tmp_path) for script in (merge + use, use.replace("merged", str(results / "model")))]
    assert found[0] == found[1] and "'score'" in found[0]


def printed(script: str, place: Path) -> str:
    """What Python prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=place, env=surroundings(place), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
