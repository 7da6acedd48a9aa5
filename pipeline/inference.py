"""Answers to new texts, from a fine-tuned model or an export of it, as people can use them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipeline.backends import batches
from pipeline.backends.heads import HEADS
from pipeline.corpora import arrow, columns, encodings, files, rows
from pipeline.corpora.forms import Form
from pipeline.corpora.rows import Row
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.formats import CLASSES, Name
from pipeline.stages.tokenize import Encoder
from pipeline.tasks import Evidence, Judging, Task

FILES: dict[Name, str] = {  # what each format is known by
    "safetensors": "model.safetensors",
    "onnx": "model.onnx",
    "savedmodel": "saved_model.pb",
    "litert": "model.tflite",
}
CHUNK = 1_000  # examples answered at once
TYPED = Path("--text")


class Model:
    """A fine-tuned model, ready to answer.

    Args:
        folder: of a run's results, with ``model/`` and those of other formats; or of one format alone.
        task: what the model was trained for.
        form: how it reads rows.
        judging: how its answers are read.
        format: which export to run.

    Raises:
        UserError: there is no such model.
    """

    def __init__(
        self, folder: Path, task: Task, form: Form, judging: Judging, format: Name = "safetensors", batch_size: int = 64
    ) -> None:
        from tokenizers import Tokenizer

        place = _place(folder, format)
        config, self.decision = (json.loads((place / f"{n}.json").read_text("utf-8")) for n in ("config", "decision"))
        self.labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self.task, self.form, self.judging, self.batch_size = task, form, judging, batch_size
        self._pad = config.get("pad_token_id") or 0
        types = "token_type_ids" in self.decision["inputs"]
        tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        self._encoder = Encoder(task, tokenizer, self.decision["max_length"], types=types)
        self._runtime = getattr(import_module(f"pipeline.formats.{format}"), CLASSES[format]).load(place)

    def answers(
        self, found: Iterable[Row], advance: Callable[[int], object] = lambda examples: None
    ) -> Iterator[dict[str, Any]]:
        """The answer to each example of some rows, behind its texts.

        Raises:
            UserError: a row has no text, or not what the task asks about; the message names it.
        """
        examples = self._examples(found)
        while chunk := list(islice(examples, CHUNK)):
            yield from self._chunk(chunk)
            advance(len(chunk))

    def __call__(self, *texts: str) -> dict[str, Any]:
        """The answer to one example, typed as ``--text`` has it: a text, or each of several in order."""
        return next(self.answers([typed(self.form, texts)]))

    def _examples(self, found: Iterable[Row]) -> Iterator[dict[str, Any]]:
        for row in found:
            for example in self.form.examples(row):
                if not example.key:
                    raise UserError(f"{row.where}: no text; fill it in, or take the row out")
                yield example.fields

    def _chunk(self, examples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        import pyarrow as pa

        types = {name: arrow.type_of(kind) for name, kind in self.form.schema.items() if name in examples[0]}
        corpus = pa.table({name: pa.array([e[name] for e in examples], kind) for name, kind in types.items()})
        features = Features(pa.Table.from_batches([self._encoder.encode(corpus.to_batches()[0])[0]]), self._pad)
        logits = batches.answers(
            self._runtime.run, features, self.batch_size, len(self.labels), tokens=HEADS[self.task.head].tokens
        )
        evidence = Evidence(logits, features, corpus, self.labels, self.task, self.decision)
        for example, answer in zip(examples, self.judging.decode(evidence), strict=True):
            yield {**{name: example[name] for name in self.form.typed if name in example}, **answer}


def typed(form: Form, texts: Sequence[str]) -> Row:
    """A row of what was typed.

    Raises:
        UserError: the task asks about more or fewer texts.
    """
    fields = form.typed
    several = fields[-1] == "choices"  # however many there are
    if len(texts) < len(fields) or (len(texts) > len(fields) and not several):
        wanted = ", ".join(f'--text "{name.upper()}"' for name in fields)
        raise UserError(
            f"--text is given {len(texts)} times; this task wants {wanted}{' …' if several else ''}, in this order"
        )
    found: dict[str, Any] = dict(zip(fields, texts, strict=False))
    if several:
        found["choices"] = list(texts[len(fields) - 1 :])
    return Row(1, TYPED, 0, found, {name: name for name in fields})


def read(form: Form, file: Path, encoding: str = "") -> Iterator[Row]:
    """The rows of a file of any form that the task learns from; what there is to learn need not be there.

    Raises:
        UserError: it has none, or see :func:`pipeline.corpora.rows.read`.
    """
    if not file.is_file():
        raise UserError(f"--file {file}: no such file")
    found = _rows(form, file, encoding)
    first = next(found, None)  # so that what is wrong with the file is said before a model is loaded
    if first is None:
        raise UserError(f"--file {file}: no text in it, so there is nothing to answer")
    return chain([first], found)


def _rows(form: Form, file: Path, encoding: str) -> Iterator[Row]:
    if file.suffix.lower() == ".txt":
        return _lines(form, file, encoding)
    if file.suffix.lower() not in files.FORMATS:
        raise UserError(
            f"--file {file}: cannot read this ending; it reads {', '.join(files.FORMATS)} and .txt, a text a line"
        )
    return rows.read([file], columns.unlabelled(form.layouts), encoding)


def _lines(form: Form, file: Path, encoding: str) -> Iterator[Row]:
    if len(form.typed) > 1:
        raise UserError(
            f"--file {file}: a line holds one text, but this task wants {', '.join(form.typed)}; use .jsonl or .csv"
        )
    (field,) = form.typed
    with file.open(encoding=encodings.detect(file, encoding)) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield Row(number, file, number, {field: line.rstrip("\r\n")}, {field: field})


def _place(folder: Path, format: Name) -> Path:
    """Where a format is."""
    for place in (folder / ("model" if format == "safetensors" else format), folder):
        if (place / "decision.json").is_file() and (place / FILES[format]).is_file():
            return place
    raise UserError(f"{folder}: has no model in the format {format}; make it with export.formats=safetensors,{format}")
