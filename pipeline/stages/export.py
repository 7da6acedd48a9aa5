"""Package a fine-tuned model, and check what was packaged."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import ADAPTER, BESIDE, LOGS, Bundle, Corpus, Model, Predictions, Tokens
from pipeline.backends import Generation, writing
from pipeline.backends.heads import HEADS
from pipeline.errors import CheckFailed, TooInexact
from pipeline.features import Features
from pipeline.formats import DRAFTS, Export, alone, scores
from pipeline.formats.checks import Sample, check_labels, check_score, check_tokenizer
from pipeline.formats.trials import Answers, Texts, Trial, pairs
from pipeline.progress import say, work
from pipeline.stages import targets
from pipeline.stages.tokenize import Encoder, load_tokenizer
from pipeline.tasks import Task

if TYPE_CHECKING:
    import numpy as np

WRITTEN = 32  # texts that are written to be compared
LONGEST = 32  # tokens of each
INSIDE = (ADAPTER, "history.json", LOGS, "labels.json", "source.json")  # of a Model, but no part of a checkpoint


@dataclass(frozen=True)
class Packaging:
    """How to package: ``formats`` are those that ``export`` names, so that only their code and libraries count."""

    export: Export
    task: Task
    formats: tuple[type[Any], ...]
    generation: Generation | None = None
    metric: str = "loss"  # that the model was chosen by


def export(
    config: Packaging, out: Path, *, model: Model, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Bundle:
    """Write the model as the Hugging Face folder and in the other formats; ``exports.json`` says what was measured.

    Each is loaded again and has to answer validation rows as the model did when it was predicted with, by whatever
    backend; one that writes text has to write the same as the Hugging Face folder.  It may not score less by more than
    ``export.budget`` points, and has to run where the frameworks that made it are not.

    Raises:
        CheckFailed: a format does not.
    """
    folder = out / "model"
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns(*INSIDE))
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if (model.path / ADAPTER).exists():
        shutil.copytree(model.path / ADAPTER, out / ADAPTER)
    if config.generation:
        _settle(folder, config.generation)
    _check_tokenizer(config, folder, tokens, corpus)
    gate = _gate(config, model, folder, predictions, tokens, corpus)
    made = Bundle(out)
    made.write("exports.json", {form.name: gate.passed(form, _place(out, form.name)) for form in config.formats})
    shutil.rmtree(out / DRAFTS, ignore_errors=True)
    return made


@dataclass(frozen=True)
class _Gate:
    """What every form has to pass.

    Attributes:
        folder: the model as the Hugging Face folder.
        measure: what scores are held against each other by.
        target: what the model itself scores on the validation split.
        decision: how answers are read.
    """

    export: Export
    task: Task
    folder: Path
    trial: Trial
    validation: Features
    labels: list[str]
    measure: str
    target: Mapping[str, float]
    decision: dict[str, Any]

    def passed(self, form: Any, place: Path) -> dict[str, Any]:
        """Make a form, as little carefully as is good enough; what was measured of it."""
        *shares, last = getattr(form, "careful", (0.0,))
        for share in shares:
            try:
                return self._made(form, place, share)
            except TooInexact as error:
                what, *_ = str(error).partition(";")  # what to do about it comes behind
                say(f"{what}; it is made again with more of it in float")
                shutil.rmtree(place)
        return self._made(form, place, last)

    def _made(self, form: Any, place: Path, share: float) -> dict[str, Any]:
        with work(f"exporting to {form.name}", 0, "models"):
            facts = self.trial.write(form, place, **({"careful": share} if share else {}))
        _put_beside(self.folder, place)
        found = self._checked(form, place)
        name = self.measure
        say(
            f"{form.name}: {found['rows']} validation {'texts' if self.trial.writes else 'rows'} agree, logits within "
            f"{found['largest_difference']:.1e}; {name} {found['score'][name]:.4f}, the model's {self.target[name]:.4f}"
        )
        return {"megabytes": _megabytes(place), **found, **facts}

    def _checked(self, form: Any, place: Path) -> dict[str, Any]:
        """What was measured of a form that was written."""
        import numpy as np

        if self.labels:
            check_labels(place, self.labels)
        runtime = form.load(place)
        found = self.trial.compare(form, runtime)
        scored = self._score(form, runtime)
        rows, unit = len(np.unique(self.validation.examples)), 1.0
        if "mae" in self.target:
            unit = float(self.validation.numbers("label").std()) or 1.0
        check_score(form.name, self.measure, scored, self.target, self.export.budget, rows, unit)
        return {**found, "score": {self.measure: round(scored[self.measure], 6)}, **self._alone(form, runtime, place)}

    def _score(self, form: Any, runtime: Any) -> Mapping[str, float]:
        if form.name == "safetensors":
            return self.target  # measured on this very folder
        with work(f"scoring {form.name}", len(self.validation)) as advance:
            logits = scores.answers(self.task, runtime, self.validation, len(self.labels), advance)
        return self.task.monitor(logits, self.validation, self.labels, self.decision)

    def _alone(self, form: Any, runtime: Any, place: Path) -> dict[str, Any]:
        """How fast it is in a process of its own, where it has to answer the same."""
        if form.needs and not self.export.timing:
            return {}
        batches, writes = self.trial.batches(), self.trial.writes
        found, speed = alone.run(form, place, batches, writes=writes, timing=self.export.timing)
        for inputs, answer in zip(batches, found, strict=True):
            difference = alone.difference(answer, alone.answer(runtime, inputs, writes))
            if not difference <= self.export.tolerance * self.trial.unit:
                raise CheckFailed(
                    f"{form.name}: answers otherwise in a process of its own, by {difference:.2e}; the export was not kept"
                )
        return speed


def _gate(
    config: Packaging, model: Model, folder: Path, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> _Gate:
    import numpy as np

    features, labels = tokens.features("validation"), tokens.read("labels.json")
    logits = np.load(predictions.path / "validation.npy", mmap_mode="r")  # or what is measured, of heads that predict
    if HEADS[config.task.head].writes:
        trial: Trial = _texts(config, folder, features)
    else:
        trial = _answers(config, folder, _sample(config, logits, tokens, corpus))
    measure, decision = scores.measure(config.task, config.metric), model.read("decision.json")
    target = config.task.monitor(logits, features, labels, decision)
    return _Gate(config.export, config.task, folder, trial, features, labels, measure, target, decision)


def _answers(config: Packaging, folder: Path, sample: Sample) -> Answers:
    from pipeline.formats.safetensors import Safetensors

    predicts = HEADS[config.task.head].predicts
    return Answers(folder, sample, config.export.tolerance, Safetensors.load(folder) if predicts else None)


def _texts(config: Packaging, folder: Path, features: Features) -> Texts:
    from pipeline.formats.safetensors_text import SafetensorsText

    rows = pairs(features, _spread(len(features), min(config.export.rows, WRITTEN)), config.task.head)
    longest = min(LONGEST, config.generation.max_new_tokens if config.generation else LONGEST)
    reference, show = SafetensorsText.load(folder), targets.saved(folder).target.decode
    return Texts(folder, rows, config.export.tolerance, reference, features.pad, longest, show)


def _sample(config: Packaging, logits: np.ndarray, tokens: Tokens, corpus: Corpus) -> Sample:
    """Validation rows spread over the split, with what the model itself answered."""
    import numpy as np

    head, features = HEADS[config.task.head], tokens.features("validation")
    rows = _spread(len(features), config.export.rows)
    table, of_tokens = corpus.table("validation"), head.tokens
    # A text that is read in pieces is several rows; and no answer is given to what only has gaps to be filled.
    single = "text" in table.column_names and not (config.task.segments or of_tokens or head.predicts)
    texts = table["text"].take(rows).to_pylist() if single else None
    # Numbers are answered in the unit of the data, be it stars or years: float32 is as exact as they are large.
    unit = max(1.0, float(np.abs(logits).max())) if config.task.head == "regression" else 1.0
    learned = tokens.features("train") if config.export.quantization == "static" else None
    return Sample(features, rows, logits, of_tokens, texts, unit, learned)


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
    """Put how to write into ``generation_config.json``, without what the base model has there that no longer counts."""
    from transformers import AutoConfig, GenerationConfig

    known = (folder / "generation_config.json").is_file()
    config = None if known else AutoConfig.from_pretrained(folder, trust_remote_code=False)
    settings = GenerationConfig.from_pretrained(folder) if known else GenerationConfig.from_model_config(config)
    idle = writing.idle(do_sample=generation.do_sample, num_beams=generation.num_beams)
    settings.update(**{**generation.options(), **idle}, max_length=None)
    settings.save_pretrained(folder)


def _spread(count: int, most: int) -> np.ndarray:
    """At most ``most`` rows of ``count``, evenly."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


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
