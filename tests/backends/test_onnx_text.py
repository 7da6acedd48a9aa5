"""Models that write text, in ONNX: small random ones of every kind, and what transformers itself writes with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pipeline.errors import CheckFailed, UserError
from pipeline.features import Inputs
from pipeline.formats import onnx_graphs, search
from pipeline.formats.onnx import Onnx
from pipeline.formats.onnx_text import OnnxText
from pipeline.formats.onnx_writer import OnnxWriter
from pipeline.formats.rules import NEVER, Rules, Settings
from pipeline.formats.safetensors import Safetensors
from pipeline.formats.safetensors_text import NetworkWriter, SafetensorsText
from pipeline.formats.text_checks import check_masked, check_texts, padded
from tests.conftest import ROOT, surroundings

WORDS, OF_DECODER = 120, 90  # in the vocabularies
CAUSAL = ("gpt2", "llama", "qwen2", "qwen3", "mistral")
KINDS = ("t5", "mt5", "bart", "marian", "encoder-decoder", *CAUSAL)
ENDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def make(kind: str, folder: Path, seed: int = 0) -> Path:
    """A random network whose texts are of many tokens and many lengths."""
    import torch

    torch.manual_seed(seed)
    net = network(kind)
    with torch.no_grad():
        for tensor in net.parameters():
            if tensor.ndim > 1:
                tensor.normal_(0, 0.3)
    net.save_pretrained(folder)
    return folder


def network(kind: str) -> Any:
    import transformers

    if kind == "encoder-decoder":
        sizes = {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
            "max_position_embeddings": 80,
        }  # fmt: skip
        encoder = transformers.BertConfig(vocab_size=WORDS, **sizes)
        decoder = transformers.BertConfig(vocab_size=OF_DECODER, is_decoder=True, add_cross_attention=True, **sizes)
        both = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
        net = transformers.EncoderDecoderModel(both)
        net.generation_config.update(decoder_start_token_id=1, eos_token_id=2, pad_token_id=0)
        return net
    if kind in ("t5", "mt5"):
        shape = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
        way = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if kind == "mt5" else {}
        return transformers.AutoModelForSeq2SeqLM.from_config(
            transformers.AutoConfig.for_model(kind, vocab_size=WORDS, **shape, **way)
        )
    if kind in ("bart", "marian"):
        shape = {"d_model": 32, "max_position_embeddings": 80}
        for part in ("encoder", "decoder"):
            shape |= {f"{part}_layers": 2, f"{part}_attention_heads": 2, f"{part}_ffn_dim": 64}
        ends = {"eos_token_id": 0, "pad_token_id": 119, "decoder_start_token_id": 119, "forced_eos_token_id": 0}
        more = {**ends, "decoder_vocab_size": WORDS} if kind == "marian" else {}
        return transformers.AutoModelForSeq2SeqLM.from_config(
            transformers.AutoConfig.for_model(kind, vocab_size=WORDS, **shape, **more)
        )
    shape = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 80,
        "intermediate_size": 64, "num_key_value_heads": 1, **ENDS,
    }  # fmt: skip
    if kind == "gpt2":
        del shape["intermediate_size"], shape["num_key_value_heads"]
    more = {"mistral": {"sliding_window": 6}, "qwen3": {"head_dim": 16}}.get(kind, {})
    return transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(kind, vocab_size=WORDS, **shape, **more)
    )


class Ready(NamedTuple):
    """A model, its export, and both loaded."""

    kind: str
    model: Path
    onnx: Path
    writer: OnnxWriter
    reference: NetworkWriter


def ready(kind: str, place: Path) -> Ready:
    model, onnx = make(kind, place / "model"), place / "onnx"
    OnnxText.write(model, onnx)
    return Ready(kind, model, onnx, OnnxText.load(onnx), SafetensorsText.load(model))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ready]:
    return cache(lambda kind: ready(kind, tmp_path_factory.mktemp(kind)))


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, exports: Callable[[str], Ready]) -> Ready:
    return exports(request.param)


@pytest.fixture(scope="module")
def bart(exports: Callable[[str], Ready]) -> Ready:
    return exports("bart")


def texts(*lengths: int, seed: int = 1) -> Inputs:
    draw = np.random.default_rng(seed)
    return padded([draw.integers(5, OF_DECODER, length).tolist() for length in lengths], 0)


SEVERAL = texts(9, 1, 4, 7, 12)


@pytest.mark.slow
def test_every_token_of_a_batch_of_many_lengths_is_scored_as_by_the_model(made: Ready) -> None:
    given = texts(6, 6, 6, 6, 6)["input_ids"] if made.writer.start is not None else None
    found, wanted = made.writer.logits(SEVERAL, given), made.reference.logits(SEVERAL, given)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    there = SEVERAL["attention_mask"] == 1 if given is None else np.ones((5, 6), bool)
    assert np.abs(found - wanted)[there].max() < 1e-4


MANY = list(range(2, OF_DECODER, 7))  # tokens that end a text, so that those of a batch end one after the other
SETTINGS: list[dict[str, Any]] = [
    {},
    {"max_new_tokens": 25},
    {"max_new_tokens": 25, "eos_token_id": MANY, "min_new_tokens": 4, "no_repeat_ngram_size": 1},
    {"max_new_tokens": 25, "no_repeat_ngram_size": 2, "repetition_penalty": 1.5},
    {"max_new_tokens": 12, "forced_bos_token_id": 17, "forced_eos_token_id": 2, "begin_suppress_tokens": [21]},
    {"max_new_tokens": 12, "bad_words_ids": [[11], [20, 30], [2]], "suppress_tokens": [50], "renormalize_logits": True},
    {"max_length": 16, "min_length": 15, "no_repeat_ngram_size": 1, "decoder_start_token_id": 33},
]


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_best_token_each_time_gives_the_texts_of_transformers(made: Ready, settings: dict[str, Any]) -> None:
    found = made.writer.generate(SEVERAL, settings)
    assert found == made.reference.generate(SEVERAL, settings)
    assert len({len(text) for text in found}) > 1 or "eos_token_id" not in settings


BEAMS: list[dict[str, Any]] = [
    {"num_beams": 4, "max_new_tokens": 15},
    {"num_beams": 4, "max_new_tokens": 20, "eos_token_id": MANY, "min_new_tokens": 3},
    {"num_beams": 3, "max_new_tokens": 20, "eos_token_id": MANY, "length_penalty": 2.0, "early_stopping": True},
    {"num_beams": 2, "max_new_tokens": 20, "eos_token_id": MANY, "length_penalty": 0.4, "early_stopping": "never"},
    {
        "num_beams": 4,
        "max_new_tokens": 12,
        "length_penalty": -1.0,
        "no_repeat_ngram_size": 2,
        "repetition_penalty": 1.3,
    },
    {"num_beams": 4, "max_new_tokens": 12, "forced_bos_token_id": 17, "forced_eos_token_id": 2},
]


@pytest.mark.slow
@pytest.mark.parametrize("settings", BEAMS, ids=str)
def test_beams_give_the_texts_of_transformers(made: Ready, settings: dict[str, Any]) -> None:
    assert made.writer.generate(SEVERAL, settings) == made.reference.generate(SEVERAL, settings)


@pytest.mark.slow
def test_texts_do_not_depend_on_their_batch_or_padding(made: Ready) -> None:
    settings = {"max_new_tokens": 10, "num_beams": 2, "eos_token_id": MANY}
    together = made.writer.generate(SEVERAL, settings)
    singly = []
    for ids, mask in zip(SEVERAL["input_ids"], SEVERAL["attention_mask"], strict=True):
        singly += made.writer.generate(padded([ids[mask == 1].tolist()], 0), settings)
    assert singly == together
    if made.writer.start is None:
        assert made.writer.generate(search.behind_padding(SEVERAL), settings) == together


@pytest.mark.slow
def test_an_export_that_writes_as_the_model_passes(made: Ready) -> None:
    rows = [
        (list(range(5, 5 + length)), [*range(30, 30 + more), 2]) for length, more in ((3, 9), (8, 2), (1, 1), (5, 4))
    ]
    found = check_texts("onnx", made.writer, made.reference, rows, 1e-4)
    assert found["rows"] == 4
    assert 0 < found["largest_difference"] < 1e-4
    assert found["near_ties"] == 0


@pytest.mark.slow
def test_graphs_have_the_names_that_others_know_and_tell_nothing_of_where_they_were_made(made: Ready) -> None:
    import onnx

    inputs, outputs = {}, {}
    for file in sorted(made.onnx.glob("*.onnx")):
        assert str(ROOT).encode() not in file.read_bytes()
        graph = onnx.load(file).graph
        inputs[file.stem], outputs[file.stem] = ([one.name for one in ends] for ends in (graph.input, graph.output))
    if made.kind in CAUSAL:
        layers = [f"{layer}.{kind}" for layer in (0, 1) for kind in ("key", "value")]
        past = [f"past_key_values.{name}" for name in layers]
        assert inputs == {"model": ["input_ids", "attention_mask", *past]}
        assert outputs == {"model": ["logits", *(f"present.{name}" for name in layers)]}
        return
    of = {
        part: [f"{layer}.{part}.{kind}" for layer in (0, 1) for kind in ("key", "value")]
        for part in ("decoder", "encoder")
    }
    past = [f"past_key_values.{name}" for part in of for name in of[part]]
    assert inputs["encoder"] == ["input_ids", "attention_mask"]
    assert inputs["decoder"] == ["input_ids", "encoder_attention_mask", *past]
    assert outputs["encoder"] == ["last_hidden_state", *(f"present.{name}" for name in of["encoder"])]
    assert outputs["decoder"] == ["logits", *(f"present.{name}" for name in of["decoder"])]


def test_texts_are_written_in_a_process_that_has_neither_torch_nor_transformers(made: Ready, tmp_path: Path) -> None:
    script = f"""
import sys
class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {{"torch", "transformers", "tokenizers", "onnx"}}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import json
from pathlib import Path
import numpy as np
from pipeline.formats.onnx import Onnx
from pipeline.formats.onnx_text import OnnxText
inputs = {{name: np.array(rows) for name, rows in json.loads({json.dumps({n: v.tolist() for n, v in SEVERAL.items()})!r}).items()}}
print(json.dumps(OnnxText.load(Path({str(made.onnx)!r})).generate(inputs, {{"max_new_tokens": 8, "num_beams": 2}})))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=surroundings(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    wanted = made.writer.generate(SEVERAL, {"max_new_tokens": 8, "num_beams": 2})
    assert json.loads(done.stdout.splitlines()[-1]) == wanted


class Rewriting:
    """A model that writes a token of its own in one place of each text."""

    def __init__(self, writer: OnnxWriter, place: int, token: int) -> None:
        self.writer, self.start, self.place, self.token = writer, writer.start, place, token

    def logits(self, inputs: Inputs, decoder_input_ids: np.ndarray | None = None) -> np.ndarray:
        return self.writer.logits(inputs, decoder_input_ids)

    def generate(self, inputs: Inputs, settings: Mapping[str, Any], seed: int = 0) -> list[list[int]]:
        found = self.writer.generate(inputs, settings)
        return [[*text[: self.place], self.token, *text[self.place + 1 :]] for text in found]


ROWS = [([5, 6, 7], [8, 9, 10, 2]), ([11, 12], [13, 2])]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gpt2", "bart"])
def test_more_tokens_than_a_model_has_places_for_are_refused_in_words(
    exports: Callable[[str], Ready], kind: str
) -> None:
    writer, inputs = exports(kind).writer, padded([[5] * 30], 0)
    most = 80 if kind == "bart" else 51
    assert len(writer.generate(inputs, {"max_new_tokens": most, "min_new_tokens": most})[0]) == most
    with pytest.raises(UserError, match=r"generation\.max_new_tokens: the model has no places for so many tokens"):
        writer.generate(inputs, {"max_new_tokens": most + 1, "min_new_tokens": most + 1})


@pytest.mark.slow
def test_an_export_that_writes_another_text_is_refused(bart: Ready) -> None:
    other = Rewriting(bart.writer, 3, 77)
    with pytest.raises(
        CheckFailed,
        match=r"onnx: does not write what the model writes: <.* 77 .*> instead of <.*> for row 1 of the sample, <5 6 7>, "
        r"and where they part, the model's logits differ by .*; the export was not kept",
    ):
        check_texts("onnx", other, bart.reference, ROWS, 1e-4, show=lambda ids: f"<{' '.join(map(str, ids))}>")


@pytest.mark.slow
def test_an_export_that_stops_early_is_refused(bart: Ready) -> None:
    class Short(Rewriting):
        def generate(self, inputs: Inputs, settings: Mapping[str, Any], seed: int = 0) -> list[list[int]]:
            return [text[:-1] for text in self.writer.generate(inputs, settings)]

    with pytest.raises(CheckFailed, match="the model's logits differ by inf"):
        check_texts("onnx", Short(bart.writer, 0, 0), bart.reference, ROWS, 1e-4)


@pytest.mark.slow
def test_texts_may_part_where_the_model_sees_two_tokens_alike(bart: Ready) -> None:
    other = Rewriting(bart.writer, 3, 77)
    assert check_texts("onnx", other, bart.reference, ROWS, 10.0)["near_ties"] == 2


@pytest.mark.slow
def test_an_export_of_another_model_is_refused(bart: Ready, tmp_path: Path) -> None:
    other = SafetensorsText.load(make("bart", tmp_path / "other", seed=5))
    with pytest.raises(CheckFailed, match=r"onnx: does not score tokens as the model does: logits differ by .* of the"):
        check_texts("onnx", bart.writer, other, ROWS, 1e-4)


@pytest.mark.slow
def test_a_model_of_masked_words_is_held_against_itself_where_words_are_masked(tmp_path: Path) -> None:
    import transformers

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    for seed in ("one", "other"):
        config = transformers.BertConfig(vocab_size=WORDS, max_position_embeddings=80, **sizes)
        transformers.BertForMaskedLM(config).save_pretrained(tmp_path / seed)
    Onnx.write(tmp_path / "one", tmp_path / "onnx", Twice())  # type: ignore[arg-type]
    runtime, one, other = (
        form.load(tmp_path / name) for form, name in ((Onnx, "onnx"), (Safetensors, "one"), (Safetensors, "other"))
    )
    batches = [(SEVERAL, SEVERAL["input_ids"] > 60), (texts(3), np.array([[False, True, False]]))]
    found = check_masked("onnx", runtime, one, batches, 1e-4)
    assert found["rows"] == 6
    assert 0 < found["largest_difference"] < 1e-4
    with pytest.raises(CheckFailed, match="onnx: does not score tokens as the model does"):
        check_masked("onnx", runtime, other, batches, 1e-4)


class Twice:
    """Rows to trace with."""

    def inputs(self, count: int) -> Inputs:
        return texts(*(7,) * count)


@pytest.mark.slow
def test_weights_too_large_for_one_file_lie_beside_the_graph(
    bart: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_graphs, "LARGEST", 1000)
    OnnxText.write(make("gpt2", tmp_path / "model"), tmp_path / "onnx")
    assert {file.name for file in (tmp_path / "onnx").iterdir()} == {
        "generation_config.json", "model.onnx", "model.onnx.data"
    }  # fmt: skip
    moved = shutil.move(tmp_path / "onnx", tmp_path / "moved")
    assert len(OnnxText.load(moved).generate(SEVERAL, {"max_new_tokens": 3})) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("mixtral", "No ONNX function found for .*grouped_mm"),
        ("mamba", "it keeps something else than keys and values of the tokens before"),
    ],
)
def test_a_model_that_cannot_be_exported_is_named(tmp_path: Path, kind: str, why: str) -> None:
    import transformers

    sizes = {"vocab_size": WORDS, "hidden_size": 32, "num_hidden_layers": 1, "state_size": 4}
    if kind == "mixtral":
        sizes = {**sizes, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = transformers.AutoConfig.for_model(kind, **sizes, **ENDS)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "model")
    with pytest.raises(
        UserError,
        match=rf"^export.formats=onnx: cannot be made of a {kind} model that writes text: {why}.*; "
        r"leave it out: export.formats=safetensors$",
    ):
        OnnxText.write(tmp_path / "model", tmp_path / "onnx")


@pytest.mark.slow
def test_a_decoder_that_nothing_says_how_to_begin_is_refused(bart: Ready, tmp_path: Path) -> None:
    place = shutil.copytree(bart.onnx, tmp_path / "onnx")
    (place / "generation_config.json").write_text('{"eos_token_id": 2}', encoding="utf-8")
    with pytest.raises(UserError, match="has no decoder_start_token_id, which the decoder begins with; set it"):
        OnnxText.load(place)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stop_strings": ["."]}, r"stop_strings=\['.'\]: cannot be done without PyTorch; take it out of"),
        ({"do_sample": True, "typical_p": 0.5}, "typical_p=0.5: cannot be done without PyTorch"),
        (
            {"do_sample": True, "num_beams": 4},
            "do_sample, num_beams=4: beams are not drawn here; choose one of the two",
        ),
    ],
)
def test_settings_that_cannot_be_followed_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings.of(settings)


def test_settings_that_ask_for_nothing_are_no_hindrance() -> None:
    given = {
        "typical_p": 0.5,
        "guidance_scale": None,
        "num_beam_groups": 1,
        "num_beams": 4,
        "transformers_version": "5",
    }
    assert Settings.of(given) == Settings(num_beams=4)


def test_a_prompt_without_room_behind_it_is_refused() -> None:
    with pytest.raises(UserError, match="max_length=20: the prompt has 20 tokens already; set max_new_tokens"):
        Rules(Settings(max_length=20), 20)


def drawn(settings: dict[str, Any], logits: list[float], count: int = 20_000) -> np.ndarray:
    """How often each token is drawn."""
    rules = Rules(Settings.of({"do_sample": True, "max_new_tokens": 1, **settings}), 1)
    prompt, rows = np.zeros((count, 1), np.int64), np.tile(np.array(logits, np.float32), (count, 1))
    found = search.follow(lambda tokens, state, origins: (rows, state), None, prompt, np.zeros(count), rules)
    return np.bincount([tokens[0] for tokens in found], minlength=len(logits)) / count


@pytest.mark.parametrize(
    ("settings", "chances"),
    [
        ({}, [0.1, 0.2, 0.3, 0.4]),
        ({"top_k": 2}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_p": 0.65}, [0, 0, 3 / 7, 4 / 7]),
        ({"top_p": 0.1}, [0, 0, 0, 1]),
        ({"temperature": 0.5}, [1 / 30, 4 / 30, 9 / 30, 16 / 30]),
        ({"suppress_tokens": [3]}, [1 / 6, 2 / 6, 3 / 6, 0]),
    ],
)
def test_tokens_are_drawn_by_their_probability(settings: dict[str, Any], chances: list[float]) -> None:
    found = drawn(settings, np.log([0.1, 0.2, 0.3, 0.4]).tolist())
    assert np.abs(found - chances).max() < 0.015
    assert ((found == 0) == (np.array(chances) == 0)).all()


def test_the_same_seed_draws_the_same() -> None:
    rules = Rules(Settings.of({"do_sample": True, "max_new_tokens": 8}), 1)
    flat = np.zeros((3, 50), np.float32)

    def texts(seed: int) -> list[list[int]]:
        prompt = np.zeros((3, 1), np.int64)
        return search.follow(
            lambda tokens, state, origins: (flat.copy(), state), None, prompt, np.zeros(3), rules, seed
        )

    assert texts(1) == texts(1) != texts(2)


def test_padding_before_a_prompt_makes_no_token_less_likely() -> None:
    rules = Rules(Settings(repetition_penalty=2.0), 3)
    ids, starts = np.array([[0, 0, 3], [1, 2, 3]]), np.array([2, 0])
    scores = rules.apply(ids, starts, np.array([[1, 1, 1, 1], [-1, -1, 1, 1]], np.float32))
    assert scores.tolist() == [[1, 1, 1, 0.5], [-1, -2, 0.5, 0.5]]


def test_words_that_are_forbidden_are_so_behind_what_leads_to_them() -> None:
    rules = Rules(Settings.of({"bad_words_ids": [[1, 2], [3], [0]], "eos_token_id": 0}), 1)
    scores = rules.apply(np.array([[0, 1], [1, 0]]), np.zeros(2), np.zeros((2, 4), np.float32))
    assert scores.tolist() == [[0, 0, NEVER, NEVER], [0, 0, 0, NEVER]]


def test_texts_are_dropped_as_they_end_and_come_back_in_order() -> None:
    """A model that counts down from the prompt to 0, the end; it notes which rows it is asked for."""
    rules, asked = Rules(Settings.of({"max_new_tokens": 9, "eos_token_id": 0}), 1), []

    def step(tokens: np.ndarray, state: np.ndarray, origins: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        state = state if origins is None else state[origins]
        assert (tokens[:, 0] == state).all()
        asked.append(len(state))
        return np.eye(10, dtype=np.float32)[state - 1], state - 1

    begin = np.array([5, 1, 3, 2])
    found = search.follow(step, begin, begin[:, None], np.zeros(4), rules)
    assert found == [[4, 3, 2, 1, 0], [0], [2, 1, 0], [1, 0]]
    assert asked == [4, 3, 2, 1, 1]
