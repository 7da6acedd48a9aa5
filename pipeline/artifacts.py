"""What stages hand to each other: directories with a meaning."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.features import Features

if TYPE_CHECKING:
    import pyarrow as pa


stored = ContextVar("stored", default=False)  # whether a stage writes into the store, which clears .resume away itself
RESUME = ".resume"  # in a stage's directory: what a killed call leaves for the next at the same result
ADAPTER = "adapter"  # in a Model and a Bundle: what was learned, apart from the base
LOGS = "logs"  # in an artifact: kept, but no part of its content, for it may hold times


@dataclass(frozen=True)
class Artifact:
    """A finished directory.  Subclasses say what is in it and how to read it.

    What is in :data:`LOGS` is kept, but no part of the content.
    """

    path: Path
    shown: ClassVar[tuple[str, ...]] = ()  # what of it people find again under results/<recipe>/

    def read(self, name: str) -> Any:
        """The value in ``name``, a JSON file."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def write(self, name: str, value: Any) -> None:
        """Put ``value`` into ``name`` as JSON; the same value always gives the same bytes."""
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        (self.path / name).write_text(text + "\n", encoding="utf-8")


class Splits(Artifact):
    """An Arrow stream a split, read memory-mapped: a split of any size costs no memory to open."""

    def splits(self) -> list[str]:
        """The names of the splits there are, in the order of use."""
        return [name for name in ("train", "validation", "test") if (self.path / f"{name}.arrow").exists()]

    def table(self, split: str) -> pa.Table:
        """All rows of a split, on disk until looked at."""
        import pyarrow as pa

        with pa.memory_map(str(self.path / f"{split}.arrow")) as file, pa.ipc.open_stream(file) as stream:
            return stream.read_all()


class Corpus(Splits):
    """Examples to learn from: texts in columns that the task names, such as ``text``; ``label``, the target, where there is
    more to learn than the text itself; and ``row`` (int64, the how many-th of its file it was, from 1).  ``labels.json``
    names what the model answers with, ``data.json`` says what was odd."""

    shown = ("data.json",)


class Tokens(Splits):
    """Examples as rows for a network, several for one where it is cut into windows or has choices: ``input_ids`` (lists of
    int32, special tokens included, not padded), ``token_type_ids`` where there are two parts, ``example`` (the row of
    the corpus), ``label`` and what else the task needs; ``tokenizer/``, and ``target/`` where targets have one of their
    own; ``labels.json``; ``tokens.json`` says what pads, and what was cut or unknown."""

    def features(self, split: str) -> Features:
        """The rows of a split."""
        facts = self.read("tokens.json")
        return Features(self.table(split), facts["pad_id"], facts["special_ids"])


class Model(Artifact):
    """A checkpoint as ``from_pretrained`` reads it, with its tokenizer.  A fine-tuned one has
    ``decision.json`` too, how answers are read off its logits; ``history.json``: losses, and the metrics of the weights
    that were kept; ``logs/``: TensorBoard's files and ``speed.json``; and where an adapter was learned, ``adapter/``: it
    alone, as peft reads it."""

    shown = ("history.json", "logs")


class Predictions(Artifact):
    """``{split}.npy``: logits (float32), and ``{split}.arrow`` what else was asked of the model, if anything was, as
    :class:`pipeline.tasks.Evidence` has them."""

    def extra(self, split: str) -> pa.Table | None:
        """What else was asked."""
        import pyarrow as pa

        if not (self.path / f"{split}.arrow").exists():
            return None
        with pa.memory_map(str(self.path / f"{split}.arrow")) as file, pa.ipc.open_stream(file) as stream:
            return stream.read_all()


class Scores(Artifact):
    """``scores.json``: for each split, metric name to number, the one to look at first in front.
    ``predictions/{split}.jsonl``: each example with its target and the answer; ``details.json``: intervals, and what
    the task tells besides."""

    shown = ("scores.json", "details.json", "predictions")


BESIDE = (
    "config.json",
    "decision.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "target",
)  # in the folder of each format, for its users


class Bundle(Artifact):
    """A model packaged for use without this project: ``model/`` (Hugging Face), a folder for each other
    format, ``adapter/`` where one was learned, and ``exports.json`` with what the checks measured."""

    forms: ClassVar[tuple[str, ...]] = ("onnx", "onnx-int8", "onnx-fp16", "openvino", "savedmodel", "litert")
    shown = ("model", ADAPTER, *forms, "exports.json")


class Card(Artifact):
    """``README.md``: the model card."""

    shown = ("README.md",)


class Receipt(Artifact):
    """``receipt.json``: where a model was published, and as which commit."""

    shown = ("receipt.json",)
