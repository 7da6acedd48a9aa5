"""Heads that predict tokens: what they are asked, what they learn, and what they write."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline import backends, inference
from pipeline.artifacts import Model
from pipeline.backends import Asking, Finetuning, Generation, Prediction, Training, batches, predicted, writing
from pipeline.backends.data import Data
from pipeline.backends.pytorch import dropout, network, packing
from pipeline.backends.pytorch.beyond import alone, written
from pipeline.backends.pytorch.finetune import Pupil, finetune
from pipeline.backends.pytorch.generate import check_room, generate
from pipeline.backends.pytorch.predict import predict
from pipeline.errors import UserError
from pipeline.features import IGNORED, Features
from pipeline.stages import export
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks import masked
from pipeline.tasks.language import monitor
from pipeline.tasks.masked import MaskedLanguageModeling
from pipeline.tasks.seq2seq import Summarization
from tests.backends.conftest import Made, folder
from tests.conftest import BOTH, DECODERS, make_model, make_writer, read_json

Ready = Callable[..., Made]
STILL = Training(dropout=0.0, precision="fp32", learning_rate=3e-3, batch_size=16, metric="loss")


def rows(ids: list[list[int]], labels: list[list[int]], **special: int) -> Features:
    lists = {"input_ids": ids, "label": labels}
    columns = {name: pa.array(values, pa.list_(pa.int32())) for name, values in lists.items()}
    columns["example"] = pa.array(range(len(ids)), pa.int32())
    columns["special"] = pa.array([[0] * len(row) for row in ids], pa.list_(pa.int8()))
    return Features(pa.table(columns), 0, special)


def test_a_decoder_sees_what_stands_before_each_token_of_the_target() -> None:
    inputs, targets = predicted.seq2seq(rows([[7], [8, 9]], [[5, 6, 2], [4]], start=1), [0, 1])
    assert targets.tolist() == [[5, 6, 2], [4, IGNORED, IGNORED]]
    assert inputs["decoder_input_ids"][0].tolist() == [1, 5, 6]
    assert inputs["decoder_input_ids"][1, 0] == 1
    assert IGNORED not in inputs["decoder_input_ids"]


def test_a_causal_model_is_asked_for_the_next_token_and_not_for_the_prompt() -> None:
    _, targets = predicted.causal(rows([[3, 4, 5, 6], [3, 4]], [[IGNORED, IGNORED, 5, 6], [3, 4]]), [0, 1])
    assert targets.tolist() == [[IGNORED, 5, 6, IGNORED], [4, IGNORED, IGNORED, IGNORED]]


def test_what_is_hidden_in_validation_is_always_the_same() -> None:
    inputs, targets = predicted.masked(rows([[3, 4, 5]], [[IGNORED, 4, IGNORED]], mask=99), [0])
    assert inputs["input_ids"].tolist() == [[3, 99, 5]]
    assert targets.tolist() == [[IGNORED, 4, IGNORED]]


def test_what_is_hidden_in_training_is_drawn_anew_in_every_epoch_and_again_the_same_after_a_kill() -> None:
    features = rows([list(range(10, 60))] * 40, [[IGNORED] * 50] * 40, mask=5, size=100)
    first, again, second = (predicted.drawn(features, np.arange(40), 0.15, [17, epoch]) for epoch in (0, 0, 1))
    assert np.array_equal(first[1], again[1]) and np.array_equal(first[0]["input_ids"], again[0]["input_ids"])
    assert not np.array_equal(first[1], second[1])
    hidden = first[1] != IGNORED
    seen, was = first[0]["input_ids"][hidden], first[1][hidden]
    assert hidden.mean() == pytest.approx(0.15, abs=0.03)
    assert (seen == 5).mean() == pytest.approx(0.8, abs=0.1)
    assert 0 < (seen == was).mean() < 0.25
    assert np.array_equal(first[0]["input_ids"][~hidden], features.inputs(np.arange(40))["input_ids"][~hidden])


def test_special_tokens_and_padding_are_never_hidden_and_every_text_has_something_to_find() -> None:
    features = rows([[1, 20, 2], [1, 20, 21, 22, 2]], [[IGNORED] * 3, [IGNORED] * 5], mask=5, size=100)
    table = features._table.set_column(3, "special", pa.array([[1, 0, 1], [1, 0, 0, 0, 1]], pa.list_(pa.int8())))
    for epoch in range(50):
        _, targets = predicted.drawn(Features(table, 0, features.special), np.array([0, 1]), 0.01, [1, epoch])
        assert (targets != IGNORED).any(1).all()
        assert set(targets[targets != IGNORED]) <= {20, 21, 22}


def test_packed_rows_have_positions_of_their_own_and_nothing_is_lost() -> None:
    features = rows([[3, 4, 5], [6, 7], [8, 9, 10, 11]], [[3, 4, 5], [6, 7], [8, 9, 10, 11]])
    asked = predicted.causal(features, np.arange(3))
    inputs, targets = predicted.packed(asked, 6)
    assert inputs["input_ids"].tolist() == [[8, 9, 10, 11, 6, 7], [3, 4, 5, 3, 3, 3]]
    assert inputs["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1], [0, 1, 2, 0, 1, 2]]
    assert sorted(targets[targets != IGNORED]) == sorted(asked[1][asked[1] != IGNORED])


@pytest.mark.slow
@pytest.mark.parametrize("kind", DECODERS)
def test_packed_texts_see_nothing_of_each_other(kind: str, ready: Ready, tmp_path: Path) -> None:
    made = ready("text", make_writer(tmp_path / kind, kind))
    losses = []
    for together in (False, True):
        training = dataclasses.replace(STILL, packing=together)
        data = Data(Finetuning(made.task, training), made.tokens)
        learner = Pupil(Finetuning(made.task, training), made.base, data)
        losses.append([learner.step([data.batch(rows) for rows in group], 3e-3) for group in data.groups(0)])
        packed = data.batch(data.groups(0)[0][0]).inputs["input_ids"].shape
    assert packed[0] < 16
    assert losses[0] == pytest.approx(losses[1], abs=2e-5)


@pytest.mark.parametrize("kind", ["opt", "bloom", "mamba", "jamba", "gpt2", "llama"])
def test_packing_is_refused_where_texts_would_see_each_other(kind: str) -> None:
    import torch
    import transformers

    sizes = {
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    own = {
        "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
        "mamba": {"state_size": 4},
        "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "num_key_value_heads": 2, "use_mamba_kernels": False},
    }
    config = transformers.AutoConfig.for_model(kind, **sizes, **own.get(kind, {}))
    torch.manual_seed(0)
    net = transformers.AutoModelForCausalLM.from_config(config)
    if kind in DECODERS:
        packing.check(net)
        return
    with pytest.raises(UserError, match=f"training.packing=true: in a {kind} model texts that share a row would see"):
        packing.check(net)


KINDS = [*((kind, "text") for kind in DECODERS), *((kind, "causal") for kind in DECODERS), *((kind, "seq2seq") for kind in BOTH),
         ("bert", "seq2seq"), ("roberta", "seq2seq"), ("bert", "masked"), ("distilbert", "masked"), ("electra", "masked")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_a_small_model_of_every_kind_learns_and_is_saved_as_it_was(
    kind: str, name: str, ready: Ready, tmp_path: Path
) -> None:
    sizes: dict[str, dict[str, Any]] = {"distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}}
    writes = kind in DECODERS or kind in BOTH
    model = make_writer(tmp_path / kind, kind) if writes else make_model(tmp_path / kind, kind, **sizes.get(kind, {}))
    made = ready(name, model)
    training = dataclasses.replace(STILL, epochs=6, learning_rate=1e-2)
    trained = finetune(Finetuning(made.task, training), folder(tmp_path / "model"), base=made.base, tokens=made.tokens)
    history = trained.read("history.json")
    assert history["validation"]["loss"] < 0.8 * history["loss"][0]["loss"]
    asking = Asking(made.task.head, Prediction(), Generation(max_new_tokens=12))
    found = predict(asking, folder(tmp_path / "found"), model=trained, tokens=made.tokens)
    rows = np.load(found.path / "validation.npy")
    assert monitor(rows)["loss"] == pytest.approx(history["validation"]["loss"], abs=1e-4)
    extra = found.extra("validation")
    if name in ("causal", "seq2seq"):
        assert extra is not None and all(isinstance(text, str) for text in extra["text"].to_pylist())
        assert any(text for text in extra["text"].to_pylist())
    elif name == "masked":
        assert extra is not None and extra["tokens"].to_numpy().sum() > 0
    else:
        assert extra is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seq2seq", "causal", "masked"])
def test_logits_at_chosen_places_are_those_of_the_whole(name: str, ready: Ready, tmp_path: Path) -> None:
    import torch

    made = (
        ready(name)
        if name == "masked"
        else ready(name, make_writer(tmp_path / name, "t5" if name == "seq2seq" else "llama"))
    )
    data = Data(Finetuning(made.task, STILL), made.tokens)
    net = network.load(made.base, name, data.labels, STILL, data.seen, made.tokens).eval()
    inputs, targets = predicted.ASKED[name](data.validation, np.arange(8))
    with torch.inference_mode():
        some, whole = network.run(net, inputs, targets != IGNORED), network.run(net, inputs)
    assert len(some) == (targets != IGNORED).sum()
    assert np.abs(some.numpy() - whole.numpy()[targets != IGNORED]).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*BOTH, *DECODERS, "bert", "roberta"])
def test_attention_that_drops_out_by_bytes_is_that_of_transformers_and_sees_nothing_ahead(
    kind: str, tmp_path: Path
) -> None:
    import torch
    import transformers

    rate = {} if kind in ("t5", "gpt2") else {"attention_dropout": 0.1}  # else they have one
    if kind in ("bert", "roberta"):
        place = make_model(tmp_path / kind, kind)
        decoder = transformers.AutoConfig.from_pretrained(place, is_decoder=True, add_cross_attention=True)
        net = transformers.EncoderDecoderModel(
            encoder=transformers.AutoModel.from_pretrained(place),
            decoder=transformers.AutoModelForCausalLM.from_config(decoder),
        )
    else:
        net = network.load_saved(make_writer(tmp_path / kind, kind, **rate))
    draw = np.random.default_rng(1)
    inputs = {"input_ids": draw.integers(5, 200, (3, 9)), "attention_mask": np.ones((3, 9), np.int64)}
    inputs["attention_mask"][1, 6:] = 0
    ahead = "input_ids"
    if net.config.is_encoder_decoder:
        ahead, inputs["decoder_input_ids"] = "decoder_input_ids", draw.integers(5, 200, (3, 9))
    changed = {**inputs, ahead: np.concatenate([inputs[ahead][:, :6], np.full((3, 3), 7)], 1)}
    with torch.inference_mode():
        before = network.run(net.eval(), inputs)
        dropout.use(net)
        assert net.config._attn_implementation == dropout.NAME
        after, other = network.run(net.eval(), inputs), network.run(net, changed)
    seen = inputs["attention_mask"] == 1 if ahead == "input_ids" else np.ones((3, 9), bool)
    assert (before - after).abs().numpy()[seen].max() < 1e-5
    assert (after - other)[:, :6].abs().max() == 0 < (after - other)[:, 6:].abs().max()


@pytest.mark.slow
def test_a_decoder_made_of_an_encoder_writes_with_case_and_accents(ready: Ready, tmp_path: Path) -> None:
    made = ready("seq2seq")
    training = dataclasses.replace(STILL, epochs=60, learning_rate=3e-3, batch_size=8)
    trained = finetune(Finetuning(made.task, training), folder(tmp_path / "model"), base=made.base, tokens=made.tokens)
    found = predict(
        Asking("seq2seq", Prediction(), Generation(max_new_tokens=16)), folder(tmp_path / "found"), model=trained, tokens=made.tokens
    )  # fmt: skip
    extra = found.extra("validation")
    assert extra is not None
    wanted = [texts[0] for texts in made.corpus.table("validation")["label"].to_pylist()]
    right = np.mean([text == one for text, one in zip(extra["text"].to_pylist(), wanted, strict=True)])
    assert right > 0.5, list(zip(extra["text"].to_pylist(), wanted, strict=True))[:5]


@pytest.mark.slow
def test_batches_are_as_small_as_their_logits_have_to_be(
    ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ready("text", make_writer(tmp_path / "llama", "llama"))
    features = made.tokens.features("validation")
    net = network.load_saved(made.base.path)
    whole = network.answers(net, "causal", features, 64)
    sizes: list[int] = []
    run = network.run

    def spy(net: Any, inputs: Any, places: Any = None) -> Any:
        sizes.append(inputs["input_ids"].size)
        return run(net, inputs, places)

    monkeypatch.setattr(predicted, "LOGITS", net.config.vocab_size * 40)
    monkeypatch.setattr(network, "run", spy)
    assert np.abs(network.answers(net, "causal", features, 64) - whole).max() < 1e-4
    assert len(sizes) >= 4 and max(sizes) <= 40


def test_a_batch_of_long_rows_has_fewer_of_them() -> None:
    found = batches.by_length(np.array([3, 100, 3, 3, 50]), 3, 100)
    assert [rows.tolist() for rows in found] == [[1], [4, 0], [2, 3]]


@pytest.mark.slow
def test_each_token_is_hidden_alone_for_pseudo_perplexity(ready: Ready, tmp_path: Path) -> None:
    import torch

    made = ready("masked")
    trained = finetune(Finetuning(made.task, STILL), folder(tmp_path / "model"), base=made.base, tokens=made.tokens)
    net, features = network.load_saved(trained.path).eval(), made.tokens.features("validation")
    found = alone(net, features, np.array([2]), 64, lambda rows: None)
    ids, total = features.ids.row(2).astype(np.int64), 0.0
    for place in range(1, len(ids) - 1):  # by hand, one by one
        seen = ids.copy()
        seen[place] = features.special["mask"]
        with torch.inference_mode():
            logits = net(torch.from_numpy(seen[None])).logits[0, place]
        total -= float(torch.log_softmax(logits, -1)[ids[place]])
    assert found["tokens"].to_pylist() == [len(ids) - 2]
    assert found["loss"].to_pylist() == pytest.approx([total], rel=1e-4)


@pytest.mark.slow
def test_an_adapted_encoder_keeps_its_pooler(ready: Ready, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    made = ready("masked")
    trained = finetune(Finetuning(made.task, STILL), folder(tmp_path / "model"), base=made.base, tokens=made.tokens)
    before, after = (load_file(place / "model.safetensors") for place in (made.base.path, trained.path))
    assert np.array_equal(after["bert.pooler.dense.weight"], before["pooler.dense.weight"])


def test_hidden_words_of_a_text_in_pieces_are_told_of_that_text(tiny_model: Path, tmp_path: Path) -> None:
    import transformers

    folder = shutil.copytree(tiny_model, tmp_path / "model")
    transformers.AutoModelForMaskedLM.from_pretrained(tiny_model).save_pretrained(folder)
    decision = {"max_length": 16, "inputs": ["input_ids", "attention_mask"]}
    (folder / "decision.json").write_text(json.dumps(decision), encoding="utf-8")
    task = MaskedLanguageModeling()
    model = inference.Model(folder, task, masked.KIND.form(task), masked.KIND.judging)
    long = "[MASK] film was warm and " * 8 + "the soup was [MASK]"
    texts = [long, "the dog was [MASK]", "no more"]
    found = list(model.answers(inference.typed(model.form, [text]) for text in texts))
    assert [answer["text"] for answer in found] == texts
    assert [len(answer["filled"]) for answer in found] == [9, 1, 0]
    assert found[1] == model("the dog was [MASK]")


@pytest.mark.slow
def test_generation_is_as_it_is_set(ready: Ready, tmp_path: Path) -> None:
    made = ready("causal", make_writer(tmp_path / "gpt2", "gpt2"))
    net = network.load_saved(made.base.path)
    features = made.tokens.features("validation")
    place = made.tokens.path / "tokenizer"

    def texts(at_once: int = 8, **settings: Any) -> list[str | None]:
        return written(net, "causal", features, Generation(max_new_tokens=8, **settings), at_once, place)

    assert texts() == texts()
    assert texts(num_beams=3) != texts() or texts(no_repeat_ngram_size=1) != texts()
    drawn = texts(do_sample=True, temperature=5.0)
    assert drawn == texts(do_sample=True, temperature=5.0), "the same draws each time"
    assert drawn == texts(3, do_sample=True, temperature=5.0), "whatever is written at once"
    assert drawn != texts()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bart", "marian", "t5", "bert", "roberta"])
def test_more_tokens_than_a_model_has_places_for_are_refused(kind: str, ready: Ready, tmp_path: Path) -> None:
    place = (make_writer if kind in {**BOTH, **DECODERS} else make_model)(tmp_path / kind, kind)
    made = ready("causal" if kind in DECODERS else "seq2seq", place)
    data = Data(Finetuning(made.task, STILL), made.tokens)
    net = network.load(made.base, made.task.head, [], STILL, data.seen, made.tokens).eval()
    features = made.tokens.features("validation")
    rows = np.argsort(-(features.numbers("prompt") if kind in DECODERS else features.lengths))[:1]
    one = features.take(rows)
    before = int(one.numbers("prompt")[0]) - 1 if kind in DECODERS else 0
    most = {"bert": 80, "roberta": 79}.get(kind, 96) - before

    def write(new: int) -> None:
        generate(net, made.task.head, one, Generation(max_new_tokens=new, min_new_tokens=new), 8)

    write(most)
    if kind in ("llama", "t5"):
        write(most + 1)
        return
    with pytest.raises(UserError, match=rf"generation.max_new_tokens={most + 1}: .* set it to {most} or less"):
        write(most + 1)


@pytest.mark.parametrize("kind", ["openai-gpt", "gptj", "codegen", "ctrl"])
def test_places_are_found_whatever_a_network_calls_them(kind: str) -> None:
    import transformers

    sizes = {"n_positions": 64, "n_embd": 32, "n_layer": 1, "n_head": 4, "dff": 64, "rotary_dim": 4}
    config = transformers.AutoConfig.for_model(kind, vocab_size=60, bos_token_id=1, eos_token_id=2, **sizes)
    net = transformers.AutoModelForCausalLM.from_config(config)
    check_room(net, 40, 25)
    with pytest.raises(UserError, match=r"the longest prompt has 40: lower max_length, or set it to 25 or less"):
        check_room(net, 40, 26)


def test_a_model_may_have_other_places_to_write_than_to_read() -> None:
    import transformers

    sizes = {name: value for name, value in BOTH["bart"].items() if name != "max_position_embeddings"}
    places = {"max_encoder_position_embeddings": 128, "max_decoder_position_embeddings": 64, "attention_window": 8}
    net = transformers.LEDForConditionalGeneration(transformers.LEDConfig(vocab_size=60, **sizes, **places))
    check_room(net, 100, 64)
    with pytest.raises(UserError, match=r"max_new_tokens=65: the model has places for 64 tokens; set it to 64 or less"):
        check_room(net, 100, 65)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_beams": 0}, "num_beams must be at least 1"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"min_new_tokens": 99}, "min_new_tokens is from 0 to max_new_tokens"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size is a number of tokens, or 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be more than 0"),
        ({"temperature": 0.0}, "temperature must be more than 0"),
        ({"top_p": 0.0}, "top_p is a probability, above 0 and up to 1"),
    ],
)
def test_settings_of_writing_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Generation(**settings)


@pytest.mark.parametrize(
    "settings, generation",
    [
        ({"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "eos_token_id": [2, 1]}, Generation()),
        ({"num_beams": 4, "early_stopping": True, "length_penalty": 2.0, "max_length": 142}, Generation()),
        ({}, Generation(length_penalty=0.5)),
        ({"temperature": 0.9, "early_stopping": True}, Generation(num_beams=2, length_penalty=2.0)),
        ({"top_k": 20, "typical_p": 0.5}, Generation(do_sample=True, temperature=0.5)),
        ({"do_sample": True, "num_return_sequences": 3}, Generation()),
    ],
)
def test_what_a_base_model_says_of_drawing_and_beams_does_not_stand_in_the_way(
    settings: dict[str, Any], generation: Generation, tmp_path: Path
) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    export._settle(tmp_path, generation)
    found = read_json(tmp_path / "generation_config.json")
    wanted = generation.options()
    if generation.num_beams == 1:
        assert found.get("early_stopping") is None and found.get("length_penalty") is None
        del wanted["length_penalty"]
    if not generation.do_sample:
        assert found.get("temperature") is None and found.get("top_k") is None
    assert {name: found[name] for name in wanted} == wanted
    assert found.get("eos_token_id") == settings.get("eos_token_id"), "what ends a text is the model's own"


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.9, "top_p": 0.6},
        {"do_sample": False, "early_stopping": True, "length_penalty": 2.0},
        {"num_beams": 4, "num_return_sequences": 4, "early_stopping": True},
        {"do_sample": True, "temperature": 0.7, "top_k": 20},
    ],
)
def test_what_was_trained_is_saved_whatever_the_base_model_says_of_writing(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": 2}), encoding="utf-8")
    writing.settings(Model(tmp_path), {"end": 7}).save_pretrained(tmp_path)
    found = read_json(tmp_path / "generation_config.json")
    assert found["eos_token_id"] == [2, 7] and found.get("num_return_sequences") is None
    for name in ("top_k", "early_stopping"):
        counts = settings.get("do_sample") if name == "top_k" else settings.get("num_beams")
        assert found.get(name) == (settings.get(name) if counts else None)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("causal", "bert", "a bert model reads in both directions and cannot do causal; choose a GPT-2"),
        ("seq2seq", "distilbert", "a distilbert model cannot become a decoder; choose a BERT or RoBERTa, or"),
        ("masked", "llama", "its tokenizer has no token that hides another; choose a BERT, RoBERTa or the like"),
    ],
)
def test_a_base_that_cannot_do_it_is_refused(name: str, kind: str, words: str, ready: Ready, tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}}.get(kind, {})
    model = make_writer(tmp_path / kind, kind) if kind in DECODERS else make_model(tmp_path / kind, kind, **sizes)
    with pytest.raises(UserError, match=words):
        made = ready(name, model)
        finetune(Finetuning(made.task, STILL), folder(tmp_path / "model"), base=made.base, tokens=made.tokens)


def test_packing_is_refused_where_nothing_is_gone_on_with(ready: Ready) -> None:
    with pytest.raises(UserError, match=r"training\.packing=true: is for causal models; leave it out"):
        Finetuning(ready("masked").task, Training(packing=True, metric="loss"))


@pytest.mark.slow
def test_a_decoder_without_a_base_learns_a_tokenizer_and_starts_the_same_each_time(
    ready: Ready, tmp_path: Path
) -> None:
    from pipeline.stages.fetch import Checkpoint, Fetching, fetch

    corpus = ready("causal", make_writer(tmp_path / "llama", "llama")).corpus
    base = fetch(Fetching(Checkpoint("anew")), folder(tmp_path / "base"))
    task = ready("causal", tmp_path / "llama").task
    tokens = tokenize(Tokenization(task, 64), folder(tmp_path / "tokens"), base=base, corpus=corpus)
    data = Data(Finetuning(task, STILL), tokens)
    nets = [network.load(base, "causal", [], STILL, data.seen, tokens) for _ in range(2)]
    first, second = ({name: tensor.numpy() for name, tensor in net.state_dict().items()} for net in nets)
    assert all(np.array_equal(tensor, second[name]) for name, tensor in first.items())
    assert nets[0].config.vocab_size == len(
        json.loads((tokens.path / "tokenizer" / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    )
    assert read_json(Model(base.path).path / "config.json")["vocab_size"] == 0


def of_many_languages(folder: Path) -> Path:
    """A small model that marks texts by their language, as NLLB does."""
    import torch
    import transformers

    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ."
    ids = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters])}
    tokenizer = transformers.NllbTokenizer(vocab=ids, merges=[], src_lang="eng_Latn", tgt_lang="deu_Latn")
    config = transformers.M2M100Config(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=96,
        decoder_start_token_id=2, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.M2M100ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_model_of_many_languages_reads_one_and_writes_another(ready: Ready, tmp_path: Path) -> None:
    made = ready("seq2seq")
    base = Model(of_many_languages(tmp_path / "base"))
    task = dataclasses.replace(made.task, source_language="fra_Latn", target_language="deu_Latn")
    tokens = tokenize(Tokenization(task, 64), folder(tmp_path / "tokens"), base=base, corpus=made.corpus)
    known = read_json(tokens.path / "tokens.json")["special_ids"]
    features = tokens.features("train")
    assert {int(features.lists("label").row(row)[0]) for row in range(8)} == {known["forced"]}
    assert {int(features.ids.row(row)[0]) for row in range(8)} != {known["forced"]}
    base.write("source.json", {"model": "", "revision": ""})
    trained = finetune(Finetuning(task, STILL), folder(tmp_path / "model"), base=base, tokens=tokens)
    assert read_json(trained.path / "generation_config.json")["forced_bos_token_id"] == known["forced"]
    asking = Asking("seq2seq", Prediction(), Generation(max_new_tokens=6))
    found = predict(asking, folder(tmp_path / "found"), model=trained, tokens=tokens).extra("validation")
    assert found is not None and not any("deu_Latn" in text for text in found["text"].to_pylist())


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.mark.parametrize("several", [False, True])
def test_what_ends_an_answer_in_a_conversation_ends_what_is_written(
    several: bool, ready: Ready, tmp_path: Path
) -> None:
    import transformers

    place = make_writer(tmp_path / "qwen2", "qwen2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(place)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    transformers.AutoModelForCausalLM.from_pretrained(
        place, vocab_size=len(tokenizer), ignore_mismatched_sizes=True
    ).save_pretrained(place)
    tokenizer.save_pretrained(place)
    templates = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": "{{ nothing }}"}]
    settings = read_json(place / "tokenizer_config.json") | {"chat_template": templates if several else CHATML}
    (place / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    made = ready("causal", place)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    data = Data(Finetuning(made.task, STILL), made.tokens)
    assert end in data.train.lists("label").row(0), "it is learned"
    net = network.load(made.base, "causal", [], STILL, data.seen, made.tokens)
    assert net.generation_config.eos_token_id == [tokenizer.eos_token_id, end]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("keras_hub") is None, reason="TensorFlow is not installed")
def test_what_ends_what_is_written_is_kept_by_both_backends(ready: Ready, tmp_path: Path) -> None:
    place = make_writer(tmp_path / "gpt2", "gpt2")
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 7]}), encoding="utf-8")
    made = ready("causal", place)
    for name in ("pytorch", "tensorflow"):
        config = Finetuning(made.task, Training(epochs=1))
        model = backends.load(name).finetune(config, folder(tmp_path / name), base=made.base, tokens=made.tokens)
        assert read_json(model.path / "generation_config.json")["eos_token_id"] == [2, 7]


@pytest.mark.slow
def test_a_language_that_ends_a_text_is_what_the_decoder_begins_with_and_no_word(ready: Ready, tmp_path: Path) -> None:
    import transformers

    made, base = ready("seq2seq"), Model(tmp_path / "base")
    letters = ["<s>", "<pad>", "</s>", "<unk>", *"▁abcdefghijklmnopqrstuvwxyzABCDEFGHIKLMNOPRSTUW."]
    tokenizer = transformers.MBartTokenizer(vocab=[(each, 0.0) for each in letters], src_lang="en_XX", tgt_lang="de_DE")
    tokenizer.save_pretrained(base.path)
    config = transformers.MBartConfig(vocab_size=len(tokenizer), forced_eos_token_id=None, **BOTH["bart"])
    transformers.MBartForConditionalGeneration(config).save_pretrained(base.path)
    task = dataclasses.replace(made.task, source_language="en_XX", target_language="de_DE")
    tokens = tokenize(Tokenization(task, 64), folder(tmp_path / "tokens"), base=base, corpus=made.corpus)
    german = tokenizer.convert_tokens_to_ids("de_DE")
    assert read_json(tokens.path / "tokens.json")["special_ids"] == {"start": german}
    net = network.load(base, "seq2seq", [], STILL, np.arange(3), tokens)
    seen, wanted = predicted.seq2seq(tokens.features("train"), [0])
    assert seen["decoder_input_ids"][0].tolist() == [german, *wanted[0, :-1].tolist()] and wanted[0, -1] == german
    settings = net.generation_config
    assert (settings.decoder_start_token_id, settings.forced_bos_token_id) == (german, None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, r"task\.source_language=: the base model knows no such language"),
        (
            {"source_language": "eng_Latn", "target_language": "deu_Latin"},
            r"task\.target_language=deu_Latin.*did you mean",
        ),
    ],
)
def test_a_language_that_a_model_does_not_know_is_refused(
    settings: dict[str, str], words: str, ready: Ready, tmp_path: Path
) -> None:
    made = ready("seq2seq")
    base = Model(of_many_languages(tmp_path / "base"))
    task = dataclasses.replace(made.task, **settings)
    with pytest.raises(UserError, match=words):
        tokenize(Tokenization(task, 64), folder(tmp_path / "tokens"), base=base, corpus=made.corpus)


def test_a_model_that_is_told_its_language_is_refused_where_that_cannot_be_said(ready: Ready, tmp_path: Path) -> None:
    made, base = ready("seq2seq"), Model(of_many_languages(tmp_path / "base"))
    with pytest.raises(UserError, match="it writes in the language that it is told, which is for the recipe translate"):
        tokenize(Tokenization(Summarization(), 64), folder(tmp_path / "tokens"), base=base, corpus=made.corpus)


@pytest.mark.parametrize(("kind", "most"), [("bart", 96), ("bert", 80), ("roberta", 80)])
def test_targets_that_a_model_has_no_places_for_are_refused(kind: str, most: int, ready: Ready, tmp_path: Path) -> None:
    if kind == "bart":
        base = Model(make_writer(tmp_path / kind, kind))
    else:
        base = Model(
            make_model(tmp_path / kind, kind, **({"max_position_embeddings": 81} if kind == "roberta" else {}))
        )
    made = ready("seq2seq")
    for length, fits in ((most, True), (most + 1, False)):
        task = dataclasses.replace(made.task, max_target_length=length)
        place = folder(tmp_path / f"tokens-{length}")
        if fits:
            tokenize(Tokenization(task, 64), place, base=base, corpus=made.corpus)
            continue
        with pytest.raises(UserError, match=rf"max_target_length={length}: .* writes texts of at most {most} tokens"):
            tokenize(Tokenization(task, 64), place, base=base, corpus=made.corpus)


def test_places_are_counted_under_the_name_that_gpt2_has_for_them(ready: Ready, tmp_path: Path) -> None:
    base = Model(make_writer(tmp_path / "gpt2", "gpt2"))
    base.write("tokenizer_config.json", base.read("tokenizer_config.json") | {"model_max_length": int(1e30)})
    with pytest.raises(UserError, match=r"max_length=97: .* takes texts of 1 to 96 tokens"):
        tokenize(
            Tokenization(ready("text").task, 97), folder(tmp_path / "tokens"), base=base, corpus=ready("text").corpus
        )
