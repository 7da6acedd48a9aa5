"""Package a fine-tuned model, and check what was packaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import ADAPTER, BESIDE, LOGS, Bundle, Corpus, Model, Predictions, Tokens
from pipeline.backends import Generation, predicted
from pipeline.backends.heads import HEADS
from pipeline.features import IGNORED, Features, Inputs
from pipeline.formats import Export
from pipeline.formats.checks import Sample, check_labels, check_logits, check_tokenizer
from pipeline.formats.text_checks import Row, check_masked, check_texts
from pipeline.progress import say, work
from pipeline.stages import targets
from pipeline.stages.tokenize import Encoder, load_tokenizer
from pipeline.tasks import Task

if TYPE_CHECKING:
    import numpy as np

WRITTEN = 32  # texts that are written to be compared
LONGEST = 32  # tokens of each
TOGETHER = 8  # rows whose answers over a vocabulary are compared at once
INSIDE = (ADAPTER, "history.json", LOGS, "labels.json", "source.json")  # of a Model, but no part of a checkpoint


@dataclass(frozen=True)
class Packaging:
    """How to package: ``formats`` are those that ``export`` names, so that only their code and libraries count."""

    export: Export
    task: Task
    formats: tuple[type[Any], ...]
    generation: Generation | None = None


def export(
    config: Packaging, out: Path, *, model: Model, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Bundle:
    """Write the model as the Hugging Face folder and in the other formats; ``exports.json`` says what was measured.

    Each is loaded again and has to answer validation rows as the model did when it was predicted with, by whatever
    backend; one that writes text has to write the same as the Hugging Face folder.

    Raises:
        CheckFailed: a format does not.
    """
    folder, head = out / "model", HEADS[config.task.head]
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns(*INSIDE))
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if (model.path / ADAPTER).exists():
        shutil.copytree(model.path / ADAPTER, out / ADAPTER)
    if config.generation:
        _settle(folder, config.generation)
    _check_tokenizer(config, folder, tokens, corpus)
    package = _package_writer if head.writes else _package
    reports = {}
    for form, facts in package(config, out, predictions, tokens, corpus):
        place = _place(out, form)
        reports[form] = {"megabytes": _megabytes(place), **facts}
    made = Bundle(out)
    made.write("exports.json", reports)
    return made


def _package(
    config: Packaging, out: Path, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each format with what was found of it, for a model that answers with numbers."""
    from pipeline.formats.safetensors import Safetensors

    sample, labels = _sample(config, predictions, tokens, corpus), tokens.read("labels.json")
    predicts = HEADS[config.task.head].predicts
    for form in config.formats:
        place = _place(out, form.name)
        with work(f"exporting to {form.name}", 0, "models"):
            facts = form.write(out / "model", place, sample)
        _put_beside(out / "model", place)
        if labels:
            check_labels(place, labels)
        if predicts:  # what it answers is too much to be kept: the folder itself is asked again
            reference = Safetensors.load(out / "model")
            found = check_masked(form.name, form.load(place), reference, _hidden(sample), config.export.tolerance)
        else:
            found = check_logits(form.name, form.load(place), sample, config.export.tolerance)
        say(f"{form.name}: {found['rows']} validation rows agree, logits within {found['largest_difference']:.1e}")
        yield form.name, {**found, **facts}


def _package_writer(
    config: Packaging, out: Path, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same for a model that writes text."""
    from pipeline.formats.safetensors_text import SafetensorsText

    features = tokens.features("validation")
    rows = _pairs(features, _spread(len(features), min(config.export.rows, WRITTEN)), config.task.head)
    reference, show = SafetensorsText.load(out / "model"), targets.saved(out / "model").target.decode
    longest = min(LONGEST, config.generation.max_new_tokens if config.generation else LONGEST)
    for form in config.formats:
        place = _place(out, form.name)
        with work(f"exporting to {form.name}", 0, "models"):
            facts = form.write(out / "model", place)
        _put_beside(out / "model", place)
        with work(f"writing with {form.name}", 0, "texts"):
            found = check_texts(
                form.name, form.load(place), reference, rows, config.export.tolerance,
                pad=features.pad, longest=longest, show=show,
            )  # fmt: skip
        say(
            f"{form.name}: {found['rows']} validation texts come out the same, logits within {found['largest_difference']:.1e}"
        )
        yield form.name, {**found, **facts}


def _place(out: Path, form: str) -> Path:
    return out / ("model" if form == "safetensors" else form)


def _put_beside(folder: Path, place: Path) -> None:
    """What users of a format need besides it."""
    for name in BESIDE:
        if (folder / name).is_dir() and not (place / name).exists():
            shutil.copytree(folder / name, place / name)
        elif (folder / name).is_file() and not (place / name).exists():
            shutil.copyfile(folder / name, place / name)


def _settle(folder: Path, generation: Generation) -> None:
    """Put how to write into ``generation_config.json``."""
    from transformers import AutoConfig, GenerationConfig

    known = (folder / "generation_config.json").is_file()
    config = None if known else AutoConfig.from_pretrained(folder, trust_remote_code=False)
    settings = GenerationConfig.from_pretrained(folder) if known else GenerationConfig.from_model_config(config)
    settings.update(**generation.options(), max_length=None)
    settings.save_pretrained(folder)


def _spread(count: int, most: int) -> np.ndarray:
    """At most ``most`` rows of ``count``, evenly."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def _sample(config: Packaging, predictions: Predictions, tokens: Tokens, corpus: Corpus) -> Sample:
    """Validation rows spread over the split, with what the model itself answered."""
    import numpy as np

    head, features = HEADS[config.task.head], tokens.features("validation")
    rows = _spread(len(features), config.export.rows)
    table, of_tokens = corpus.table("validation"), head.tokens
    single = "text" in table.column_names and not config.task.segments and not of_tokens
    texts = table["text"].take(rows).to_pylist() if single else None
    logits = np.load(predictions.path / "validation.npy", mmap_mode="r")  # or what is measured, of heads that predict
    # Numbers are answered in the unit of the data, be it stars or years: float32 is as exact as they are large.
    unit = max(1.0, float(np.abs(logits).max())) if config.task.head == "regression" else 1.0
    return Sample(features, rows, logits, of_tokens, texts, unit)


def _hidden(sample: Sample) -> Iterator[tuple[Inputs, np.ndarray]]:
    """Rows with hidden tokens, in batches, and where these are."""
    for start in range(0, len(sample.rows), TOGETHER):
        inputs, wanted = predicted.masked(sample.features, sample.rows[start : start + TOGETHER])
        yield inputs, wanted != IGNORED


def _pairs(features: Features, rows: np.ndarray, head: str) -> list[Row]:
    """Of each row what is read and what is to be written; of a text without a prompt, its first half and its second."""
    if head == "seq2seq":
        return [(features.ids.row(row).tolist(), features.lists("label").row(row).tolist()) for row in rows.tolist()]
    prompts, found = features.numbers("prompt"), []
    for row in rows.tolist():
        ids = features.ids.row(row).tolist()
        begin = int(prompts[row]) or max(1, len(ids) // 2)
        found.append((ids[:begin], ids[begin:]))
    return [pair for pair in found if all(pair)]


def _check_tokenizer(config: Packaging, folder: Path, tokens: Tokens, corpus: Corpus) -> None:
    """The tokenizer in ``folder``, loaded as anybody would, must make of examples the rows that were trained on."""
    import numpy as np

    features = tokens.features("validation")
    examples = np.unique(features.examples[_spread(len(features), config.export.rows)])
    most = tokens.read("tokens.json")["max_length"]
    known = replace(targets.saved(folder), text=load_tokenizer(folder, folder.name).backend_tokenizer)
    encoder = Encoder(config.task, known, most, types=features.types is not None)
    batch = corpus.table("validation").take(examples).combine_chunks().to_batches()[0]
    found = encoder.encode(batch)[0]
    rows = np.flatnonzero(np.isin(features.examples, examples)).tolist()
    text = next(name for name in ("text", "first", "question", "label") if name in batch.schema.names)
    texts = batch[text].take(found["example"]).to_pylist()
    check_tokenizer(
        "model", texts, found["input_ids"].to_pylist(), [features.ids.row(row).tolist() for row in rows], features.pad
    )
    if HEADS[config.task.head].writes:
        wanted = [features.lists("label").row(row).tolist() for row in rows]
        check_tokenizer("model", texts, found["label"].to_pylist(), wanted, features.pad)


def _megabytes(folder: Path) -> float:
    return round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 2)
