"""What tests stand on: the real command line in a process of its own, small real data, a small real model."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for .store/ and results/ of its own."""
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.fixture
def cli(home: Path) -> Cli:
    """``cli("run", "sentiment", …)``: the command line of this checkout, or of the copy in ``cwd``."""

    def call(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            cwd=cwd,
            env=surroundings(home, **environment),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )

    return call


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """The environment for a child process: its own store, no hub, no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PIPELINE_"))}
    return {**kept, "PIPELINE_HOME": str(home), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "PYTHONUTF8": "1", **more}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code, to edit."""
    place = tmp_path / "checkout"
    for part in ("pipeline", "recipes"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    return place


PRAISE = ["lovely", "warm", "bright", "kind", "crisp", "clever", "gentle", "funny", "moving", "fresh"]
BLAME = ["dull", "cold", "broken", "rude", "stale", "clumsy", "harsh", "boring", "flat", "sour"]
THINGS = ["film", "soup", "room", "phone", "train", "book", "song", "coat", "chair", "garden"]


def review_rows(count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Rows of text and label that a small model can learn in seconds."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        words, label = (PRAISE, "positive") if number % 2 else (BLAME, "negative")
        length = draw.randint(1, 6)
        parts = [f"the {draw.choice(THINGS)} was {draw.choice(words)}" for _ in range(length)]
        rows.append((" and ".join(parts) + f" {number}", label))
    return rows


def write_csv(file: Path, rows: Iterable[Sequence[Any]], header: Sequence[str] = ("text", "label")) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
    return file


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder with train, validation and test."""
    folder = tmp_path / "reviews"
    for seed, (split, count) in enumerate({"train": 96, "validation": 32, "test": 32}.items()):
        write_csv(folder / f"{split}.csv", review_rows(count, seed))
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights, 2 layers of 32, and a WordPiece tokenizer of its own: real, and fast."""
    return make_model(tmp_path_factory.mktemp("models") / "tiny-bert")


def make_model(folder: Path, kind: str = "bert", **changes: Any) -> Path:
    """A small random encoder of a model type, saved with its tokenizer."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [text for text, _ in review_rows(200)]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special))
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names)
    sizes = {
        "vocab_size": len(fast), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 80, "pad_token_id": fast.pad_token_id,
    }  # fmt: skip
    config = transformers.AutoConfig.for_model(kind, **{**sizes, **changes})
    torch.manual_seed(0)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


# Small networks that write, as transformers has them; sizes are called otherwise in each.
DECODERS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 96},
    "llama": {"num_key_value_heads": 1, "max_position_embeddings": 96},
    "qwen2": {"num_key_value_heads": 1, "max_position_embeddings": 96},
    "qwen3": {"num_key_value_heads": 1, "max_position_embeddings": 96, "head_dim": 16},
}
BOTH: dict[str, dict[str, Any]] = {
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0},
    **{
        kind: {
            "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 96,
        }
        for kind in ("bart", "marian")
    },
}  # fmt: skip


def make_writer(folder: Path, kind: str, texts: Iterable[str] = (), **changes: Any) -> Path:
    """A small random model that writes, saved with a byte-pair tokenizer of some texts."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    said = list(texts) or [text for text, _ in review_rows(200)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = list(names.values())
    tokenizer.train_from_iterator(
        said, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    if kind in BOTH:
        end = [("</s>", tokenizer.token_to_id("</s>"))]
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=end)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=96, **names)
    ids = {name.replace("token", "token_id"): fast.convert_tokens_to_ids(token) for name, token in names.items()}
    ids.pop("unk_token_id")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    own = BOTH[kind] if kind in BOTH else {**({} if kind == "gpt2" else sizes), **DECODERS[kind]}
    start = (
        {"decoder_start_token_id": ids["eos_token_id" if kind == "bart" else "pad_token_id"]} if kind in BOTH else {}
    )
    config = transformers.AutoConfig.for_model(kind, vocab_size=len(fast), **{**own, **ids, **start, **changes})
    torch.manual_seed(0)
    auto = transformers.AutoModelForSeq2SeqLM if kind in BOTH else transformers.AutoModelForCausalLM
    auto.from_config(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def quick(reviews: Path, model: Path, *more: str) -> list[str]:
    """Settings for the sentiment recipe that train in a second or two."""
    return [
        f"corpus.source={reviews}", f"base.model={model}", "training.epochs=2", "training.batch_size=16",
        "training.learning_rate=3e-3", "max_length=64", "export.timing=false", *more,
    ]  # fmt: skip


def form_of(task: Any) -> Any:
    """How a task reads the rows of a source."""
    return import_module(type(task).__module__).form(task)
