"""Package a fine-tuned model, and check what was packaged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import BESIDE, LOGS, Bundle, Corpus, Model, Predictions, Tokens
from pipeline.backends.heads import HEADS
from pipeline.formats import Export, Format
from pipeline.formats.checks import Sample, check_labels, check_logits, check_tokenizer
from pipeline.progress import say, work
from pipeline.stages.tokenize import Encoder, load_tokenizer
from pipeline.tasks import Task

INSIDE = ("history.json", LOGS, "labels.json", "source.json")  # of a Model, but no part of a checkpoint


@dataclass(frozen=True)
class Packaging:
    """How to package: ``formats`` are those that ``export`` names, so that only their code and libraries count."""

    export: Export
    task: Task
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
    sample, labels = _sample(config, predictions, tokens, corpus), tokens.read("labels.json")
    _check_tokenizer(config.task, folder, sample, tokens, corpus)
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


def _sample(config: Packaging, predictions: Predictions, tokens: Tokens, corpus: Corpus) -> Sample:
    """Validation rows spread over the split, with what the model itself answered."""
    import numpy as np

    features = tokens.features("validation")
    rows = np.unique(np.linspace(0, len(features) - 1, min(config.export.rows, len(features))).astype(int))
    table, of_tokens = corpus.table("validation"), HEADS[config.task.head].tokens
    single = "text" in table.column_names and not config.task.segments and not of_tokens
    texts = table["text"].take(rows).to_pylist() if single else None
    logits = np.load(predictions.path / "validation.npy", mmap_mode="r")
    # Numbers are answered in the unit of the data, be it stars or years: float32 is as exact as they are large.
    unit = max(1.0, float(np.abs(logits).max())) if config.task.head == "regression" else 1.0
    return Sample(features, rows, logits, of_tokens, texts, unit)


def _check_tokenizer(task: Task, folder: Path, sample: Sample, tokens: Tokens, corpus: Corpus) -> None:
    """The tokenizer in ``folder``, loaded as anybody would, must make of examples the rows that were trained on."""
    import numpy as np

    features = sample.features
    examples = np.unique(features.examples[sample.rows])
    tokenizer, most = load_tokenizer(folder, folder.name).backend_tokenizer, tokens.read("tokens.json")["max_length"]
    encoder = Encoder(task, tokenizer, most, types=features.types is not None)
    batch = corpus.table("validation").take(examples).combine_chunks().to_batches()[0]
    found = encoder.encode(batch)[0]
    wanted = [features.ids.row(row).tolist() for row in np.flatnonzero(np.isin(features.examples, examples)).tolist()]
    text = next(name for name in ("text", "first", "question") if name in batch.schema.names)
    texts = batch[text].take(found["example"]).to_pylist()
    check_tokenizer("model", texts, found["input_ids"].to_pylist(), wanted, features.pad)


def _megabytes(folder: Path) -> float:
    return round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 2)
