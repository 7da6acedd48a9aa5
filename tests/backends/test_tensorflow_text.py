"""Networks of TensorFlow that answer with words: those of transformers, from and to the same checkpoints."""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.artifacts import Model
from pipeline.backends import Finetuning, Training
from pipeline.backends.data import IGNORED, Criterion, Data
from pipeline.errors import UserError
from pipeline.features import Inputs
from tests.backends.conftest import Made, folder
from tests.conftest import make_model

pytestmark = pytest.mark.slow
WORDS, LENGTH, WRITTEN = 64, 40, 30
ENCODER = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 60, "pad_token_id": 1,
}  # fmt: skip
LLAMA = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 60}
BART = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 60,
}  # fmt: skip
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
LINEAR = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
# By a name: the class of transformers, and what its configuration says.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt2-untied": (
        "GPT2LMHeadModel",
        {**GPT2, "n_inner": 40, "activation_function": "relu", "layer_norm_epsilon": 1e-3, "tie_word_embeddings": False}),
    "llama": ("LlamaForCausalLM", LLAMA),
    "llama-tied": ("LlamaForCausalLM", {**LLAMA, "tie_word_embeddings": True, "rms_norm_eps": 1e-3}),
    "llama-stretched": ("LlamaForCausalLM", {**LLAMA, "head_dim": 12, "rope_parameters": LINEAR}),
    "llama-3": ("LlamaForCausalLM", {**LLAMA, "rope_parameters": LLAMA3, "hidden_act": "gelu"}),
    "mistral": ("MistralForCausalLM", {**LLAMA, "sliding_window": 5}),
    "qwen2": ("Qwen2ForCausalLM", {**LLAMA, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3ForCausalLM", {**LLAMA, "head_dim": 12, "rms_norm_eps": 1e-3}),
    "gemma": ("GemmaForCausalLM", {**LLAMA, "head_dim": 12, "rms_norm_eps": 1e-3}),
    "bart": ("BartForConditionalGeneration", BART),
    "bart-short": ("BartForConditionalGeneration", {**BART, "decoder_layers": 1, "activation_function": "relu"}),
    "t5": ("T5ForConditionalGeneration", T5),
    "t5-gated": (
        "T5ForConditionalGeneration",
        {**T5, "feed_forward_proj": "gated-gelu", "num_decoder_layers": 1, "relative_attention_max_distance": 20}),
    "mt5": ("MT5ForConditionalGeneration", T5),
    "albert": ("AlbertForMaskedLM", {**ENCODER, "embedding_size": 16}),
    "bert": ("BertForMaskedLM", ENCODER),
    "camembert": ("CamembertForMaskedLM", ENCODER),
    "distilbert": (
        "DistilBertForMaskedLM",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 60}),
    "electra": ("ElectraForMaskedLM", {**ENCODER, "embedding_size": 16}),
    "roberta": ("RobertaForMaskedLM", ENCODER),
    "xlm-roberta": ("XLMRobertaForMaskedLM", {**ENCODER, "hidden_act": "relu"}),
}  # fmt: skip


class Batch(NamedTuple):
    """Rows of different lengths, filled up behind."""

    inputs: Inputs
    there: np.ndarray  # where an answer counts (bool, rows by length)
    targets: np.ndarray


def batch_of(architecture: str) -> Batch:
    draw = np.random.default_rng(3)

    def rows(length: int) -> tuple[np.ndarray, np.ndarray]:
        there = np.arange(length) < np.array([length, 3, 11, 1, 20])[:, None]
        return np.where(there, draw.integers(5, WORDS, there.shape), 1), there.astype(np.int64)

    ids, there = rows(LENGTH)
    inputs = {"input_ids": ids, "attention_mask": there}
    if "Conditional" in architecture:
        ids, there = rows(WRITTEN)
        inputs |= {"decoder_input_ids": ids, "decoder_attention_mask": there}
    learned = there.astype(bool) & (draw.random(there.shape) < 0.8)
    return Batch(inputs, there.astype(bool), np.where(learned, draw.integers(5, WORDS, there.shape), IGNORED))


def make(name: str, place: Path, **more: Any) -> Any:
    """A network of transformers, no weight of it as it is at first, and saved."""
    import torch
    import transformers

    architecture, config = NETWORKS[name]
    torch.manual_seed(0)
    kind = name.partition("-")[0] if name != "xlm-roberta" else name
    found = transformers.AutoConfig.for_model(kind, vocab_size=WORDS, **{**config, **more})
    found._attn_implementation = "eager"
    network = getattr(transformers, architecture)(found).eval()
    with torch.no_grad():
        for tensor in (*network.parameters(), *(b for n, b in network.named_buffers() if n == "final_logits_bias")):
            tensor.add_(torch.randn_like(tensor) * 0.1)
    network.save_pretrained(place)
    return network


def answered(network: Any, inputs: Inputs) -> Any:
    import torch

    return network(**{name: torch.from_numpy(values) for name, values in inputs.items()}).logits


def run(network: Any, inputs: Inputs) -> np.ndarray:
    import torch

    with torch.inference_mode():
        found: np.ndarray = answered(network, inputs).numpy()
    return found


def ours(place: Path) -> Any:
    from pipeline.backends.tensorflow import network

    return network.load_saved(Model(place))


def answers(net: Any, inputs: Inputs) -> np.ndarray:
    from pipeline.backends.tensorflow import network

    return network.compiled(net, inputs)(inputs)


def write(net: Any, place: Path) -> Path:
    from pipeline.backends.tensorflow import weights

    weights.write(folder(place), net.tensors(), net.saved_config())
    return place


def apart(one: np.ndarray, other: np.ndarray, there: np.ndarray) -> float:
    """By how much answers differ, in their standard deviations if these are more than 1."""
    return float(np.abs(one - other)[there].max() / max(1, other.std()))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Path]]:
    @cache
    def call(name: str) -> tuple[Any, Path]:
        place = tmp_path_factory.mktemp(name)
        return make(name, place), place

    return call


Checkpoint = Callable[[str], tuple[Any, Path]]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_answers_as_that_of_transformers_and_is_saved_as_it_was(
    name: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (theirs, place), batch = checkpoint(name), batch_of(NETWORKS[name][0])
    net = ours(place)
    wanted = run(theirs, batch.inputs)
    assert apart(answers(net, batch.inputs), wanted, batch.there) < 1e-5
    assert wanted[batch.there].std() > 0.3
    before, after = (load_file(at / "model.safetensors") for at in (place, write(net, tmp_path)))
    assert before.keys() == after.keys()
    for tensor in before:
        assert np.array_equal(before[tensor], after[tensor]), tensor


@pytest.mark.parametrize("name", NETWORKS)
def test_transformers_answers_with_what_was_saved_after_every_weight_was_changed(
    name: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (theirs, place), batch, draw = checkpoint(name), batch_of(NETWORKS[name][0]), np.random.default_rng(1)
    net = ours(place)
    for port in net.ports:
        port.load((port.value() + draw.normal(0, 0.05, port.shape)).astype(np.float32))
    saved, told = type(theirs).from_pretrained(write(net, tmp_path), output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"]
    found = answers(net, batch.inputs)
    assert apart(found, run(saved.eval(), batch.inputs), batch.there) < 1e-5
    assert np.abs(found - run(theirs, batch.inputs)).max() > 0.1


@pytest.mark.parametrize(
    "name", ["gpt2-untied", "llama-tied", "mistral", "qwen3", "gemma", "bart", "t5-gated", "electra"]
)
def test_gradients_are_those_of_pytorch(name: str, checkpoint: Checkpoint) -> None:
    import tensorflow as tf
    import torch

    from pipeline.backends.tensorflow import layers, network
    from pipeline.backends.tensorflow.losses import LOSSES

    (theirs, place), batch = checkpoint(name), batch_of(NETWORKS[name][0])
    theirs.zero_grad()
    logits, targets = answered(theirs, batch.inputs), torch.from_numpy(batch.targets)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").backward()
    wanted = {n: p.grad.numpy() for n, p in theirs.named_parameters() if p.grad is not None}
    net = ours(place)
    layers.use(net.model, layers.Noise(1))
    with tf.GradientTape() as tape:
        logits = net(network.whole_numbers(batch.inputs))
        loss = LOSSES["causal"].compute(logits, batch.targets, None, Criterion(np.ones(0, np.float32)))
    found = tape.gradient(loss, [port.variable.value for port in net.ports])
    for port, gradient in zip(net.ports, found, strict=True):
        port.variable.assign(tf.convert_to_tensor(gradient))
    compared = [name for name in net.tensors() if name in wanted and "embed_positions" not in name]  # of all rows there
    for tensor in compared:
        assert np.abs(net.tensors()[tensor] - wanted[tensor]).max() < 1e-5 * max(
            np.abs(w).max() for w in wanted.values()
        ), tensor
    assert len(compared) > 15


RATES = {
    "attention_dropout": 0.11, "activation_dropout": 0.12, "dropout": 0.13, "dropout_rate": 0.14, "resid_pdrop": 0.15,
    "embd_pdrop": 0.16, "attn_pdrop": 0.17, "hidden_dropout_prob": 0.18, "attention_probs_dropout_prob": 0.19,
}  # fmt: skip


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "qwen3", "bart", "t5-gated", "bert", "distilbert"])
def test_as_much_is_dropped_out_as_in_pytorch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.backends.tensorflow import framework, layers, network

    kept = RATES if name != "distilbert" else {"dropout": 0.13, "attention_dropout": 0.11}
    known = set(make(name, tmp_path).config.to_dict())
    theirs = make(name, tmp_path, **{rate: value for rate, value in kept.items() if rate in known})
    inputs = batch_of(NETWORKS[name][0]).inputs
    wanted: list[tuple[float, tuple[int, ...]]] = []
    found: list[tuple[float, tuple[int, ...]]] = []

    def counted(into: list[Any], values: Any, rate: float, training: bool) -> Any:
        into += [(rate, tuple(values.shape))] if training and rate else []
        return values

    monkeypatch.setattr(
        torch.nn.functional, "dropout",
        lambda values, p=0.5, training=True, inplace=False: counted(wanted, values, p, training),
    )  # fmt: skip
    answered(theirs.train(), inputs)
    net = ours(tmp_path)
    layers.use(net.model, layers.Noise(1))
    for layer in net.model._flatten_layers():
        if isinstance(layer, framework.keras().layers.Dropout):
            layer.call = lambda values, training=False, rate=layer.rate: counted(found, values, rate, training)
    net(network.whole_numbers(inputs), training=True)
    assert Counter(found) == Counter(wanted)
    assert found


@pytest.mark.parametrize("name", ["gpt2", "llama-3", "qwen3", "gemma", "bart", "t5", "roberta"])
def test_what_learns_in_bf16_answers_in_full_precision(name: str, checkpoint: Checkpoint) -> None:
    from pipeline.backends.tensorflow import network, weights
    from pipeline.backends.tensorflow.heads import of_saved

    (theirs, place), batch = checkpoint(name), batch_of(NETWORKS[name][0])
    config = Model(place).read("config.json")
    net = network.Network(config, of_saved(config), mixed=True)
    net.load(weights.read(place, net.prefix), lambda name, shape: np.zeros(shape, np.float32))
    wanted = run(theirs, batch.inputs)
    with net.in_full_precision():
        found = answers(net, batch.inputs)
    assert apart(found, wanted, batch.there) < 1e-5
    rough = answers(net, batch.inputs)
    assert 1e-4 < apart(rough, wanted, batch.there) < 0.2


@pytest.fixture(scope="module")
def data(made: Made) -> Data:
    found = Data(Finetuning(made.task, Training()), made.tokens)
    found.labels, found.vocabulary = [], None  # a network that answers with words has no labels, and all of its words
    return found


# A body without a head by model type, how large it is, and the head.
BARE: dict[str, tuple[dict[str, Any], str]] = {
    "albert": ({"embedding_size": 16}, "masked"),
    "bert": ({}, "masked"),
    "camembert": ({}, "masked"),
    "distilbert": ({"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}, "masked"),
    "electra": ({"embedding_size": 16}, "masked"),
    "roberta": ({}, "masked"),
    "xlm-roberta": ({}, "masked"),
    "gpt2": ({"tie_word_embeddings": False}, "causal"),
    "llama": ({}, "causal"),
    "bart": (
        {"decoder_layers": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}, "seq2seq"),
}  # fmt: skip
CLASSES = {"masked": "AutoModelForMaskedLM", "causal": "AutoModelForCausalLM", "seq2seq": "AutoModelForSeq2SeqLM"}


@pytest.mark.parametrize("kind", BARE)
def test_a_head_that_a_base_lacks_begins_as_in_pytorch(kind: str, data: Data, tmp_path: Path) -> None:
    import torch
    import transformers

    from pipeline.backends.pytorch.network import refresh
    from pipeline.backends.tensorflow import network

    sizes, head = BARE[kind]
    place = make_model(tmp_path, kind, **sizes)
    theirs, told = getattr(transformers, CLASSES[head]).from_pretrained(
        place, dtype=torch.float32, output_loading_info=True
    )
    refresh(theirs.eval(), set(told["missing_keys"]), 17)
    net = network.load(Model(place), head, data, Training(), mixed=False)
    assert net.head.architecture == type(theirs).__name__
    batch = batch_of(type(theirs).__name__)
    wanted = run(theirs, batch.inputs)
    assert apart(answers(net, batch.inputs), wanted, batch.there) < 1e-5
    assert wanted.std() > 1e-3
    saved, told = type(theirs).from_pretrained(write(net, tmp_path / "saved"), output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    for tensor, values in theirs.state_dict().items():
        assert torch.equal(values, saved.state_dict()[tensor]), tensor


def change(place: Path, **config: Any) -> None:
    found = json.loads((place / "config.json").read_text(encoding="utf-8")) | config
    (place / "config.json").write_text(json.dumps(found), encoding="utf-8")


def rename(place: Path, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
    save_file(change(load_file(place / "model.safetensors")), place / "model.safetensors")


def test_older_files_of_gpt2_without_prefix_and_with_buffers_are_read(tmp_path: Path) -> None:
    theirs, batch = make("gpt2", tmp_path), batch_of("GPT2LMHeadModel")
    buffers = {"h.0.attn.bias": np.ones((1, 1, 60, 60), np.float32), "h.0.attn.masked_bias": np.zeros((), np.float32)}
    rename(tmp_path, lambda found: {name.removeprefix("transformer."): t for name, t in found.items()} | buffers)
    assert apart(answers(ours(tmp_path), batch.inputs), run(theirs, batch.inputs), batch.there) < 1e-5


@pytest.mark.parametrize("copy", ["model.decoder.embed_tokens.weight", "lm_head.weight"])
def test_words_are_read_under_every_name_that_a_checkpoint_may_have_for_them(copy: str, tmp_path: Path) -> None:
    theirs, batch = make("bart", tmp_path), batch_of("BartForConditionalGeneration")
    rename(tmp_path, lambda found: {copy: found.pop("model.shared.weight"), **found})
    assert apart(answers(ours(tmp_path), batch.inputs), run(theirs, batch.inputs), batch.there) < 1e-5


def test_a_matrix_for_answers_that_is_not_the_word_embedding_though_it_should_be_is_refused(tmp_path: Path) -> None:
    make("llama-tied", tmp_path)
    rename(tmp_path, lambda found: {"lm_head.weight": found["model.embed_tokens.weight"] * 2, **found})
    with pytest.raises(
        UserError,
        match=r"base.model: model.embed_tokens.weight and lm_head.weight differ, but are one by config.json; use backend=py",
    ):
        ours(tmp_path)


def test_a_t5_whose_answers_have_a_matrix_of_their_own_is_read(tmp_path: Path) -> None:
    """As the files of T5 1.1 and of Flan-T5 are, which transformers writes in another way."""
    import transformers

    make("t5-gated", tmp_path)
    own = np.random.default_rng(2).normal(0, 1, (WORDS, 32)).astype(np.float32)
    rename(tmp_path, lambda found: {"lm_head.weight": own, **found})
    change(tmp_path, tie_word_embeddings=False)
    said = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    del said["scale_decoder_outputs"]
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    theirs, batch = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path), batch_of("Conditional")
    net = ours(tmp_path)
    assert apart(answers(net, batch.inputs), run(theirs.eval(), batch.inputs), batch.there) < 1e-5
    again = transformers.T5ForConditionalGeneration.from_pretrained(write(net, tmp_path / "saved"))
    assert np.array_equal(run(again.eval(), batch.inputs), run(theirs, batch.inputs))


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("llama", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}},
         "rope_type=yarn cannot be trained with TensorFlow; default, linear, llama3 can; use backend=pytorch"),
        ("llama", {"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type=dynamic cannot"),
        ("qwen2", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor=0.5 cannot be trained"),
        ("llama", {"attention_bias": True}, "attention_bias=True cannot be trained with TensorFlow; use backend=pytorch"),
        ("llama", {"mlp_bias": True}, "mlp_bias=True cannot"),
        ("llama", {"hidden_act": "gelu_10"}, "its activation gelu_10 is not known to TensorFlow here"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window=True cannot"),
        ("qwen3", {"use_sliding_window": True}, "use_sliding_window=True cannot"),
        ("qwen3", {"attention_bias": True}, "attention_bias=True cannot"),
        ("gemma", {"hidden_act": "silu"}, "hidden_act=silu cannot"),
        ("gemma", {"use_bidirectional_attention": True}, "use_bidirectional_attention=True cannot"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True cannot"),
        ("gpt2", {"scale_attn_weights": False}, "scale_attn_weights=False cannot"),
        ("bart", {"scale_embedding": True}, "scale_embedding=True cannot"),
        ("bart", {"decoder_layers": 3}, "3 layers write and 2 read; more of the first cannot be trained with TensorFlow"),
        ("bart", {"decoder_ffn_dim": 64}, "decoder_ffn_dim=64 cannot"),
        ("bart", {"decoder_layerdrop": 0.1}, "decoder_layerdrop=0.1 cannot"),
        ("bart", {"tie_word_embeddings": False}, "tie_word_embeddings=False cannot"),
        ("t5", {"relative_attention_num_buckets": 16}, "relative_attention_num_buckets=16 cannot"),
        ("t5", {"num_decoder_layers": 3}, "3 layers write and 2 read"),
        ("bert", {"tie_word_embeddings": False}, "tie_word_embeddings=False cannot"),
        ("gpt2", {"n_layer": 1}, "has tensors that TensorFlow's network lacks: transformer.h.1"),
        ("gpt2", {"n_layer": 3}, "lacks tensors: transformer.h.2.attn.c_attn"),
        ("gpt2", {"n_embd": 64}, r"transformer.wte.weight is of shape \(64, 32\), but by config.json of \(64, 64\)"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_network_that_keras_hub_cannot_compute_is_refused(
    name: str, config: dict[str, Any], message: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    shutil.copytree(checkpoint(name)[1], tmp_path / "model")
    change(tmp_path / "model", **config)
    with pytest.raises(UserError, match=f"base.model: .*{message}"):
        ours(tmp_path / "model")


@pytest.mark.parametrize(
    ("head", "kind", "able"),
    [
        ("tagging", "llama", "albert, bert, "), ("causal", "bert", "gemma, gpt2, "), ("seq2seq", "bert", "bart, mt5, t5"),
        ("seq2seq", "encoder-decoder", "bart, mt5, t5"), ("masked", "gpt2", "albert, bert, "),
    ],
)  # fmt: skip
def test_a_model_type_is_refused_for_heads_that_it_cannot_have_here(head: str, kind: str, able: str) -> None:
    from pipeline.backends.tensorflow.heads import of_task

    with pytest.raises(
        UserError, match=f"a {kind} model cannot be trained with TensorFlow here; {able}.*can; or use backend=pytorch"
    ):
        of_task(head, kind)


def test_every_model_type_of_every_head_has_a_network() -> None:
    from pipeline.backends.tensorflow import KINDS
    from pipeline.backends.tensorflow.heads import of_task

    assert {name.partition("-")[0] if name != "xlm-roberta" else name for name in NETWORKS} == {
        kind for head in ("causal", "masked", "seq2seq") for kind in KINDS[head]
    }
    for head, kinds in KINDS.items():
        assert len({of_task(head, kind).architecture for kind in kinds}) == len(kinds)


def test_nothing_is_told_of_masks_that_t5_has_by_another_name(checkpoint: Checkpoint) -> None:
    batch = batch_of("T5ForConditionalGeneration")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        answers(ours(checkpoint("t5")[1]), batch.inputs)
    assert not [warning for warning in told if "mask" in str(warning.message)]


def plain(logits: np.ndarray, targets: np.ndarray) -> list[list[tuple[float, float, bool]]]:
    """Of each token that is learned, in rows: minus its log-likelihood, the mean of that of all words, whether it is told."""
    chances = logits.astype(np.float64) - np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))
    return [
        [
            (-chance[word], -chance.mean(), chance.argmax() == word)
            for chance, word in zip(row, words, strict=True)
            if word != IGNORED
        ]
        for row, words in zip(chances, targets, strict=True)
    ]


DRAW = np.random.default_rng(4)
LOGITS = DRAW.normal(0, 3, (3, 5, 7)).astype(np.float32)
TARGETS = np.array([[1, IGNORED, 6, 0, 2], [IGNORED] * 5, [3, 3, IGNORED, IGNORED, IGNORED]])


@pytest.mark.parametrize("head", ["causal", "masked", "seq2seq"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_words_is_a_sum_over_those_that_are_learned(head: str, smoothing: float) -> None:
    from pipeline.backends.tensorflow.losses import LOSSES

    loss = LOSSES[head]
    assert loss.rank == 2
    for dtype in (loss.dtype, "int64"):
        found = loss.compute(LOGITS, TARGETS.astype(dtype), None, Criterion(np.ones(0, np.float32), smoothing))
        parts = [part for row in plain(LOGITS, TARGETS) for part in row]
        wanted = sum((1 - smoothing) * right + smoothing * mean for right, mean, _ in parts)
        assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_words_are_measured_row_by_row() -> None:
    from pipeline.backends.tensorflow.losses import measured

    targets = np.where(TARGETS == 6, LOGITS.argmax(-1), TARGETS)  # so that one is told
    found = measured(LOGITS, targets).numpy()
    wanted = [[sum(p[0] for p in row), len(row), sum(p[2] for p in row)] for row in plain(LOGITS, targets)]
    assert found.dtype == np.float32
    assert np.allclose(found, wanted, rtol=1e-5)
    assert found[0, 2] >= 1
    assert found[1].tolist() == [0, 0, 0]
