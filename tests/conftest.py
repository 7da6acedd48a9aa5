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


def read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def quick(reviews: Path, model: Path, *more: str) -> list[str]:
    """Settings for the sentiment recipe that train in a second or two."""
    return [
        f"corpus.source={reviews}", f"base.model={model}", "training.epochs=2", "training.batch_size=16",
        "training.learning_rate=3e-3", "max_length=64", *more,
    ]  # fmt: skip


def form_of(task: Any) -> Any:
    """How a task reads the rows of a source."""
    return import_module(type(task).__module__).KIND.form(task)
