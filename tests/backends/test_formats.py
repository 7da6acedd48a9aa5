"""SavedModel and LiteRT, from models of either backend, and the tokenizer that lives in a graph."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from pipeline import backends, formats
from pipeline.backends.batches import unpadded
from pipeline.backends.heads import HEADS
from pipeline.errors import UserError
from pipeline.formats import Export
from pipeline.tasks import Evidence, classification, multilabel, regression
from tests.backends.conftest import TASKS, Made, folder
from tests.backends.test_export import Trained, package, train
from tests.conftest import ROOT, Cli, quick, read_json, surroundings

ALL = ("safetensors", "onnx", "savedmodel", "litert")


class Packaged:
    """A model of one backend in every format."""

    def __init__(self, made: Made, place: Path, backend: backends.Name) -> None:
        self.made, self.trained = made, train(made, place, backend)
        self.path = package(made, self.trained, place / "bundle", Export(formats=ALL, timing=False)).path


@pytest.fixture(scope="module", params=get_args(backends.Name))
def packaged(request: pytest.FixtureRequest, made: Made, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return Packaged(made, tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.slow
def test_every_format_answers_every_test_row_as_the_model_did(packaged: Packaged) -> None:
    split = packaged.made.tokens.features("test")
    truth = np.load(packaged.trained.predictions.path / "test.npy")
    for form in formats.chosen(Export(formats=ALL)):
        runtime = form.load(packaged.path / ("model" if form.name == "safetensors" else form.name))
        for size in (1, 5, 32):
            answers = runtime.run(split.inputs(np.arange(size)))
            assert answers.dtype == np.float32
            assert np.abs(answers - truth[:size]).max() < 1e-4, (form.name, size)
    report = read_json(packaged.path / "exports.json")
    assert {name for name, facts in report.items() if facts["rows"] == 32} == set(ALL)


SIGNATURES = {"multilabel": ["classify", "serving_default"], "regression": ["classify", "serving_default"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TASKS if name != "classification"])
def test_every_format_answers_as_the_model_did_with_every_head(
    name: str, ready: Callable[..., Made], tmp_path: Path, told: list[str]
) -> None:
    made = ready(name)
    trained = train(made, tmp_path, "tensorflow")
    path = package(made, trained, tmp_path / "bundle", Export(formats=ALL, timing=False)).path
    report = read_json(path / "exports.json")
    assert {name for name, facts in report.items() if facts["largest_difference"] < 1e-4} == set(ALL)
    assert report["savedmodel"]["signatures"] == SIGNATURES.get(name, ["serving_default"])
    split, truth = made.tokens.features("test"), np.load(trained.predictions.path / "test.npy")
    outputs = len(made.tokens.read("labels.json"))
    for form in formats.chosen(Export(formats=ALL)):
        runtime = form.load(path / ("model" if form.name == "safetensors" else form.name))
        for rows in (np.arange(1), np.arange(5), np.arange(len(split))):
            inputs = split.inputs(rows)
            answers = runtime.run(inputs)
            if HEADS[made.task.head].tokens:
                assert answers.shape == (*inputs["input_ids"].shape, outputs)
                answers, wanted = unpadded(answers, split.lengths[rows]), truth[split.of_tokens(rows)]
            else:
                assert answers.shape == (len(rows), outputs)
                wanted = truth[rows]
            assert answers.dtype == np.float32
            assert np.abs(answers - wanted).max() < 1e-4, (form.name, rows)
    if name in SIGNATURES:
        check_texts(made, path, truth)
    else:
        why = "it answers for each token" if HEADS[made.task.head].tokens else "it reads two texts at once"
        assert f"savedmodel: takes token ids, not texts: {why}" in told


def check_texts(made: Made, bundle: Path, truth: np.ndarray) -> None:
    """What the saved model answers to texts is what the task reads off the logits."""
    import tensorflow as tf

    task = {"multilabel": multilabel, "regression": regression}[made.task.head]
    loaded, corpus = tf.saved_model.load(str(bundle / "savedmodel")), made.corpus.table("test")
    found = loaded.signatures["classify"](texts=tf.constant(corpus["text"].to_pylist()))
    decision, labels = read_json(bundle / "model" / "decision.json"), made.tokens.read("labels.json")
    wanted = list(task.decode(Evidence(truth, made.tokens.features("test"), corpus, labels, made.task, decision)))
    if made.task.head == "regression":
        assert np.abs(found["score"].numpy() - [row["score"] for row in wanted]).max() < 1e-3
        return
    names = [name.decode() for name in found["names"].numpy()]
    for row, answers, chances in zip(wanted, found["answers"].numpy(), found["probabilities"].numpy(), strict=True):
        assert [name for name, answer in zip(names, answers, strict=True) if answer] == row["labels"]
        assert dict(zip(names, chances.tolist(), strict=True)) == pytest.approx(row["probabilities"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "decision", [{}, {"threshold": 0.2, "positive": "spam"}, {"threshold": 0.9, "positive": "ham"}]
)
def test_a_saved_model_decides_on_labels_as_the_task_does(decision: dict[str, Any]) -> None:
    from pipeline.formats import savedmodel

    logits, names = np.random.default_rng(1).normal(0, 1, (50, 2)).astype(np.float32), ["ham", "spam"]
    found = savedmodel.ANSWERS["single_label_classification"](logits, names, decision)["label"].numpy().tolist()
    evidence = Evidence(logits, None, None, names, None, decision)  # type: ignore[arg-type]
    wanted = [row["label"] for row in classification.decode(evidence)]
    assert [label.decode() for label in found] == wanted
    assert len(set(wanted)) == 2


@pytest.mark.slow
def test_a_saved_model_takes_texts_in_a_process_that_has_tensorflow_alone(packaged: Packaged, tmp_path: Path) -> None:
    texts = packaged.made.corpus.table("test")["text"].to_pylist()
    script = f"""
import sys
class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {{"torch", "keras_hub", "tensorflow_text", "transformers", "tokenizers", "pipeline"}}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import json, tensorflow as tf
loaded = tf.saved_model.load({str(packaged.path / "savedmodel")!r})
found = loaded.signatures["classify"](texts=tf.constant({texts!r}))
print(json.dumps([label.decode() for label in found["label"].numpy().tolist()]))
print(json.dumps(found["probabilities"].numpy().tolist()))
"""
    done = subprocess.run([sys.executable, "-c", script], env=surroundings(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    labels, chances = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    truth = np.load(packaged.trained.predictions.path / "test.npy")
    names = packaged.made.corpus.read("labels.json")
    assert labels == [names[i] for i in truth.argmax(-1)]
    raised = np.exp(truth - truth.max(-1, keepdims=True))
    assert np.abs(np.array(chances) - raised / raised.sum(-1, keepdims=True)).max() < 1e-4


@pytest.mark.slow
def test_a_lite_model_runs_in_a_process_without_tensorflow(packaged: Packaged, tmp_path: Path) -> None:
    script = f"""
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
run = Interpreter({str(packaged.path / "litert" / "model.tflite")!r}).get_signature_runner("serving_default")
for batch, length in ((1, 4), (7, 33), (3, 9)):
    ids = np.full((batch, length), 5, np.int32)
    print(run(input_ids=ids, attention_mask=np.ones_like(ids))["logits"].shape)
print({{"tensorflow", "torch"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], env=surroundings(tmp_path), capture_output=True, text=True)
    assert done.stdout.splitlines() == ["(1, 2)", "(7, 2)", "(3, 2)", "set()"], done.stderr


@pytest.mark.slow
def test_the_recipe_exports_a_model_of_pytorch_to_every_format(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    done = cli("run", "sentiment", *quick(reviews, tiny_model, f"export.formats={','.join(ALL)}"))
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), "frameworks must be quiet"
    results = home / "results" / "sentiment"
    assert (results / "savedmodel" / "saved_model.pb").is_file()
    assert (results / "litert" / "model.tflite").is_file()
    again = cli("run", "sentiment", *quick(reviews, tiny_model, f"export.formats={','.join(ALL)}"))
    assert "made in" not in again.stdout


@pytest.mark.slow
def test_a_tokenizer_in_the_graph_that_splits_otherwise_fails_the_step(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real export, with the graph made from the folder of another tokenizer."""
    from pipeline.errors import CheckFailed
    from pipeline.formats import strings

    trained: Trained = train(made, tmp_path)
    other = shutil.copytree(trained.model.path, tmp_path / "other")
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text.replace('"film"', '"flim"'), encoding="utf-8")
    graph = strings.graph
    monkeypatch.setattr(strings, "graph", lambda place: graph(other))
    with pytest.raises(CheckFailed, match=r"savedmodel: its tokenizer splits text .* of the sample in another way"):
        package(made, trained, folder(tmp_path / "out"), Export(formats=("safetensors", "savedmodel")))


HARD = [
    "", "   ", "plain words", "Naïve café, señor! E\u0301cole", "İstanbul ıssız ẞ ß ﬁn", "ｆｕｌｌ　ｗｉｄｔｈ！", "a\tb\nc\r\nd",
    "\x00nul\x07bell\u200bzero\u200djoined\ufeff", "👩‍👩‍👧‍👦 family 🇨🇭 🏳️‍🌈", "中文测试，混合English文字。𠀀𪚥", "日本語テスト한국어 시험",
    "ภาษาไทย العربية हिन्दी ελληνικά", "x" * 99, "y" * 100, "z" * 101, "é" * 100 + " word", "[SEP] in [MASK] text [sep]",
    "don't stop—now… “quoted” ‘single’", "1,234.56 €42 £7 50%", "snake_case kebab-case a.b.c http://x.y/z?q=1#f", "\ud7ff\ue000\uffff\U0010ffff",
    "long " * 200,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("lowercase", "direction"), [(True, "right"), (False, "left")])
def test_a_tokenizer_in_the_graph_splits_hard_texts_as_the_real_one(
    tmp_path: Path, lowercase: bool, direction: str
) -> None:
    import tensorflow as tf
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    from pipeline.formats import strings

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(HARD, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, truncation_side=direction, **names
    )
    fast(["x"], truncation=True)  # as the stage that tokenizes leaves it
    fast.save_pretrained(tmp_path)
    graph, why = strings.graph(tmp_path)
    assert graph is not None, why
    found = graph(tf.constant([text.encode("utf-8", "surrogatepass") for text in HARD]))
    for text, ids, mask, wanted in zip(
        HARD, found["input_ids"].numpy(), found["attention_mask"].numpy(), fast(HARD, truncation=True)["input_ids"], strict=True
    ):  # fmt: skip
        assert ids[mask == 1].tolist() == wanted, text[:40]


def change(file: Path, **parts: Any) -> None:
    """Set parts of a JSON file; dots in names are written as two underscores."""
    told = json.loads(file.read_text(encoding="utf-8"))
    for name, value in parts.items():
        *groups, last = name.split("__")
        at = told
        for group in groups:
            at = at[group]
        at[last] = value
    file.write_text(json.dumps(told), encoding="utf-8")


def added(*names: str, **kinds: bool) -> list[dict[str, Any]]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **kinds}
    return [{"id": number, "content": name, **flags} for number, name in enumerate(names)]


TWICE = {"Sequence": {"id": "A", "type_id": 0}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": {"type": "BPE", "vocab": {}, "merges": []}}, "its model is BPE, not WordPiece"),
        ({"normalizer": {"type": "NFKC"}}, "its normalizer is NFKC, not BertNormalizer"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "its pre-tokenizer is Whitespace, not BertPreTokenizer"),
        ({"post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
         "its post-processor is ByteLevel"),
        ({"post_processor": {"type": "TemplateProcessing", "single": [TWICE, TWICE], "pair": [], "special_tokens": {}}},
         "it has no word of one token"),
        ({"model__unk_token": "[OTHER]"}, "its vocabulary lacks [OTHER], the token for unknown words"),
        ({"model__continuing_subword_prefix": ""},
         "its vocabulary has an empty token, or no prefix for the later pieces of a word"),
        ({"model__vocab__\U000f0001": 399}, "its vocabulary has private characters of plane 15"),
        ({"added_tokens": added("[PAD]", normalized=True)},
         "its added token '[PAD]' is matched in normalized text or whole words"),
        ({"added_tokens": added("[MASK]", "[CLS][MASK]")}, "its added tokens '[MASK]' and '[CLS][MASK]' can overlap"),
        ({"added_tokens": added(*(f"<{number}>" for number in range(1001)))}, "it has 1001 added tokens"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_tokenizer_that_no_graph_can_follow_is_named(
    tiny_model: Path, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    from pipeline.formats import strings

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tiny_model / name, tmp_path / name)
    change(tmp_path / "tokenizer.json", **changes)
    assert strings.graph(tmp_path) == (None, why)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_max_length": 2}, "2 tokens leave no room for a text"),
        ({"pad_token": None}, "it has no token for padding"),
    ],
)
def test_a_tokenizer_without_room_or_padding_is_named(
    tiny_model: Path, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    from pipeline.formats import strings

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tiny_model / name, tmp_path / name)
    change(tmp_path / "tokenizer_config.json", **changes)
    assert strings.graph(tmp_path) == (None, why)


@pytest.mark.slow
def test_a_model_that_tensorflow_has_no_network_for_is_refused_by_name(made: Made, tmp_path: Path) -> None:
    trained = train(made, tmp_path)
    change(trained.model.path / "config.json", model_type="mpnet", architectures=["MPNetForSequenceClassification"])
    with pytest.raises(UserError, match="no network of TensorFlow here for a MPNetForSequenceClassification; leave"):
        formats.chosen(Export(formats=("safetensors", "savedmodel")))[1].write(
            trained.model.path, tmp_path / "out", None
        )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["backend=tensorflow"], "backend=tensorflow: TensorFlow is not installed; install it with: make setup EXTRAS=tensorflow"),
        (["export.formats=safetensors,savedmodel"], "export.formats=savedmodel: TensorFlow is not installed; install it with"),
        (["export.formats=safetensors,litert"], "export.formats=litert: TensorFlow is not installed; install it with"),
        (["training.optimizer=adamw_8bit"], "training.optimizer=adamw_8bit: bitsandbytes is not installed; install it with"),
    ],
    ids=["backend", "savedmodel", "litert", "bitsandbytes"],
)  # fmt: skip
def test_where_a_framework_is_missing_the_command_that_installs_it_is_told(
    home: Path, arguments: list[str], told: str
) -> None:
    hidden = f"""
import sys
hidden = ("tensorflow", "keras", "keras_hub", "bitsandbytes")
class Hide:
    def find_spec(self, name, *_):
        if name in hidden:
            raise ModuleNotFoundError(name)
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in hidden else real(name, *rest)
from pipeline.cli import main
sys.exit(main(["plan", "sentiment", *{arguments!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, env=surroundings(home), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {told}")
    assert find_spec("keras_hub"), "it is there for all other tests"


def test_formats_are_made_in_one_order_whatever_the_setting_says() -> None:
    names = [form.name for form in formats.chosen(Export(formats=("litert", "onnx", "safetensors")))]
    assert names == ["safetensors", "onnx", "litert"]
    with pytest.raises(UserError, match="formats must have safetensors"):
        Export(formats=("litert",))
