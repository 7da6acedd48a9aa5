"""Answers to new texts, from a fine-tuned model or an export of it, as people can use them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import formats
from pipeline.backends import Generation, batches
from pipeline.backends.heads import HEADS
from pipeline.corpora import arrow, columns, encodings, files, rows
from pipeline.corpora.forms import BadRow, Form, examples
from pipeline.corpora.rows import Row
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.formats import Name
from pipeline.privacy.mask import masked
from pipeline.stages import targets
from pipeline.stages.tokenize import Encoder
from pipeline.tasks import MEASURED, Evidence, Judging, Task
from pipeline.tasks.classification import probabilities

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FILES: dict[Name, tuple[str, ...]] = {  # what each format is known by
    "safetensors": ("model.safetensors", "model.safetensors.index.json"),
    "onnx": ("model.onnx", "decoder.onnx"),
    "onnx-int8": ("model.onnx", "decoder.onnx"),
    "onnx-fp16": ("model.onnx", "decoder.onnx"),
    "openvino": ("model.xml",),
    "savedmodel": ("saved_model.pb",),
    "litert": ("model.tflite",),
}
CHUNK = 1_000  # examples answered at once
FILLERS = 5  # tokens told for each that is hidden
TYPED = Path("--text")


class Model:
    """A fine-tuned model, ready to answer.

    Args:
        folder: of a run's results, with ``model/`` and those of other formats; or of one format alone.
        generation: how it writes, if it does; as it was saved, if nothing is said.
        task: what the model was trained for.
        form: how it reads rows.
        judging: how its answers are read.
        format: which export to run.

    Raises:
        UserError: there is no such model.
    """

    def __init__(
        self,
        folder: Path,
        task: Task,
        form: Form,
        judging: Judging,
        format: Name = "safetensors",
        batch_size: int = 64,
        generation: Generation | None = None,
    ) -> None:
        place = _place(folder, format)
        config, self.decision = (json.loads((place / f"{n}.json").read_text("utf-8")) for n in ("config", "decision"))
        names = {} if HEADS[task.head].predicts else config["id2label"]
        self.labels = [names[str(number)] for number in range(len(names))]
        self.task, self.judging, self.batch_size = task, judging, batch_size
        self.skipped: list[str] = []  # what was wrong with each row that was left out for it
        self.form = masked(form, self.decision.get("mask", ()))  # as the texts were that it learned from
        self._settings = generation.options() if generation else {}
        self._pad = config.get("pad_token_id") or 0
        types = "token_type_ids" in self.decision["inputs"]
        self._tokenizers = targets.saved(place)
        self._encoder = Encoder(task, self._tokenizers, self.decision["max_length"], types=types)
        self._head = HEADS[task.head]
        self._runtime = formats.kind(format, writes=self._head.writes).load(place)

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
        """The answer to one example, typed as ``--text`` has it: a text, or each of several in order.

        Raises:
            UserError: it cannot be answered, also where bad rows are left out.
        """
        for answer in self.answers([typed(self.form, texts)]):
            return answer
        raise UserError(self.skipped[-1])

    def _examples(self, found: Iterable[Row]) -> Iterator[dict[str, Any]]:
        for row in found:
            try:
                read = list(examples(self.form, row))
                if not all(example.key for example in read):
                    raise BadRow(f"{row.where}: no text; fill it in, or set task.invalid=skip")
            except BadRow as error:
                if self.task.invalid != "skip":
                    raise
                self.skipped.append(str(error))
                continue
            yield from (example.fields for example in read)

    def _chunk(self, examples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        import pyarrow as pa

        types = {name: arrow.type_of(kind) for name, kind in self.form.schema.items() if name in examples[0]}
        corpus = pa.table({name: pa.array([e[name] for e in examples], kind) for name, kind in types.items()})
        features = Features(pa.Table.from_batches([self._encoder.encode(corpus.to_batches()[0])[0]]), self._pad)
        evidence = Evidence(
            self._logits(features), features, corpus, self.labels, self.task, self.decision, extra=self._extra(features)
        )
        for example, answer in zip(examples, self.judging.decode(evidence), strict=True):
            yield {**{name: example[name] for name in self.form.typed if name in example}, **answer}

    def _logits(self, features: Features) -> np.ndarray:
        import numpy as np

        if self._head.predicts:  # there is nothing to compare with
            return np.zeros((len(features), len(MEASURED)), np.float32)
        return batches.answers(self._runtime.run, features, self.batch_size, len(self.labels), tokens=self._head.tokens)

    def _extra(self, features: Features) -> pa.Table | None:
        """What is written, or fills the gaps; one or the other where a vocabulary is answered with."""
        import pyarrow as pa

        if self._head.writes:
            return pa.table({"text": pa.array(self._written(features), pa.string())})
        return pa.table({"filled": self._filled(features)}) if self._head.predicts else None

    def _written(self, features: Features) -> list[str]:
        """A text for each row."""
        ids: list[list[int]] = [[]] * len(features)
        for batch in batches.by_length(features.lengths, self.batch_size):
            for row, written in zip(
                batch.tolist(), self._runtime.generate(features.inputs(batch), self._settings), strict=True
            ):
                ids[row] = written
        texts: list[str] = self._tokenizers.target.decode_batch(ids)
        return [text.strip() for text in texts]

    def _filled(self, features: Features) -> list[list[dict[str, Any]]]:
        """For each example and each token of it that hides another, the likeliest ones; a long text has several rows."""
        import numpy as np

        tokenizer = self._tokenizers.text
        found: list[list[dict[str, Any]]] = [[] for _ in np.unique(features.examples)]
        mask = tokenizer.token_to_id(self._tokenizers.names["mask_token"])
        for row, example in enumerate(features.examples.tolist()):
            inputs = features.inputs([row])
            places = np.flatnonzero(inputs["input_ids"][0] == mask)
            shares = probabilities(self._runtime.run(inputs)[0, places]) if len(places) else np.zeros((0, 1))
            best = np.argsort(-shares, -1)[:, :FILLERS]
            found[example].extend(
                {"tokens": [tokenizer.id_to_token(int(i)) for i in ids], "probabilities": [round(float(share[i]), 6) for i in ids]}
                for share, ids in zip(shares, best, strict=True)
            )  # fmt: skip
        return found


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
        what = files.oddity(file)
        raise UserError(
            f"--file {file}: {f'{what}; it wants a file, to read more than once' if what else 'no such file'}"
        )
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
        if (place / "decision.json").is_file() and any((place / file).is_file() for file in FILES[format]):
            return place
    raise UserError(f"{folder}: has no model in the format {format}; make it with export.formats=safetensors,{format}")
