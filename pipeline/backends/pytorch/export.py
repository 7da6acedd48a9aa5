"""Packaging a fine-tuned model, and checking what was packaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pipeline.artifacts import LOGS, Bundle, Corpus, Model, Tokens
from pipeline.backends import Export
from pipeline.backends.batches import Ragged
from pipeline.backends.checks import Sample, check_labels, check_logits, check_tokenizer
from pipeline.backends.pytorch import network
from pipeline.backends.pytorch.onnx import to_onnx
from pipeline.progress import say, work
from pipeline.runtimes.onnx import Session

INSIDE = ("history.json", LOGS, "labels.json", "source.json")  # of a Model, but no part of a checkpoint
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")  # what a runtime needs besides the graph


def export(config: Export, out: Path, *, model: Model, tokens: Tokens, corpus: Corpus) -> Bundle:
    """Package the saved model as a Hugging Face folder and as ONNX; ``exports.json`` says what was measured.

    Raises:
        CheckFailed: a format does not answer as the model does on validation rows.
    """
    folder = out / "model"
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns(*INSIDE))
    for file in folder.iterdir():
        file.chmod(0o644)
    net = network.load_saved(folder).eval()
    sample = _sample(config, net, model, tokens)
    check_labels(folder, tokens.read("labels.json"))
    check_tokenizer(folder, sample, corpus)
    reports: dict[str, dict[str, Any]] = {"safetensors": {"megabytes": _megabytes(folder)}}
    if "onnx" in config.formats:
        with work("exporting to ONNX", 1, "models") as advance:
            to_onnx(net, out / "onnx", sample)
            advance(1)
        for name in BESIDE:
            shutil.copyfile(folder / name, out / "onnx" / name)
        check_labels(out / "onnx", tokens.read("labels.json"))
        found = check_logits("onnx", Session(out / "onnx"), sample, config.tolerance)
        reports["onnx"] = {"megabytes": _megabytes(out / "onnx"), **found}
        say(f"onnx: {found['rows']} validation rows agree, logits within {found['largest_difference']:.1e}")
    made = Bundle(out)
    made.write("exports.json", reports)
    return made


def _sample(config: Export, net: Any, model: Model, tokens: Tokens) -> Sample:
    """Validation rows spread over the split, with what the model itself answers."""
    import numpy as np

    split = Ragged(tokens, "validation")
    rows = np.unique(np.linspace(0, len(split) - 1, min(config.rows, len(split))).astype(int))
    pad = network.pad_id(model.path)
    return Sample(split, rows, pad, network.logits(net, split, pad, 32, rows=rows.tolist()))


def _megabytes(folder: Path) -> float:
    return round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 2)
