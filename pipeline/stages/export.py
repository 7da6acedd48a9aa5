"""Package a fine-tuned model, and check what was packaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import BESIDE, LOGS, Bundle, Corpus, Model, Predictions, Tokens
from pipeline.backends.batches import Ragged
from pipeline.formats import Export, Format
from pipeline.formats.checks import Sample, check_labels, check_logits, check_tokenizer
from pipeline.progress import say, work

INSIDE = ("history.json", LOGS, "labels.json", "source.json")  # of a Model, but no part of a checkpoint


@dataclass(frozen=True)
class Packaging:
    """How to package: ``formats`` are those that ``export`` names, so that only their code and libraries count."""

    export: Export
    formats: tuple[type[Format], ...]


def export(
    config: Packaging, out: Path, *, model: Model, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Bundle:
    """Write the model as the Hugging Face folder and in the other formats; ``exports.json`` says what was measured.

    Each is loaded again and has to answer validation rows as the model did when it was predicted with,
    by whatever backend.

    Raises:
        CheckFailed: a format does not.
    """
    folder = out / "model"
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns(*INSIDE))
    for file in folder.iterdir():
        file.chmod(0o644)
    sample, labels = _sample(config.export, predictions, tokens, corpus), tokens.read("labels.json")
    check_tokenizer("model", _tokenizer(folder), sample)
    reports = {}
    for form in config.formats:
        place = folder if form.name == "safetensors" else out / form.name
        with work(f"exporting to {form.name}", 0, "models"):
            facts = form.write(folder, place, sample)
        for name in BESIDE:
            if not (place / name).exists():
                shutil.copyfile(folder / name, place / name)
        check_labels(place, labels)
        found = check_logits(form.name, form.load(place), sample, config.export.tolerance)
        reports[form.name] = {"megabytes": _megabytes(place), **found, **facts}
        say(f"{form.name}: {found['rows']} validation rows agree, logits within {found['largest_difference']:.1e}")
    made = Bundle(out)
    made.write("exports.json", reports)
    return made


def _tokenizer(folder: Path) -> Callable[[list[str]], list[list[int]]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)

    def tokenize(texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = tokenizer(texts, truncation=True)["input_ids"]
        return found

    return tokenize


def _sample(config: Export, predictions: Predictions, tokens: Tokens, corpus: Corpus) -> Sample:
    """Validation rows spread over the split, with what the model itself answered."""
    import numpy as np

    split = Ragged(tokens, "validation")
    rows = np.unique(np.linspace(0, len(split) - 1, min(config.rows, len(split))).astype(int))
    texts = corpus.table("validation")["text"].take(rows).to_pylist()
    return Sample(split, rows, tokens.pad_id, np.load(predictions.path / "validation.npy")[rows], texts)


def _megabytes(folder: Path) -> float:
    return round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 2)
