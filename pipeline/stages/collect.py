"""Bring labelled text into one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts import Corpus
from pipeline.corpora import files, labels, rows, survey
from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.hub import looks_like_id, pin
from pipeline.progress import say

BATCH = 10_000  # rows written at once


@dataclass(frozen=True)
class Source:
    """Where labelled text comes from, and how to read it."""

    source: str
    """a file, a folder with train, validation and test files or LABEL/*.txt, or a dataset's id on the Hub"""
    revision: str = ""
    """of a Hub dataset: a commit, branch or tag"""
    encoding: str = ""
    """of text files; empty: UTF-8, UTF-16 and GB18030 are recognized"""
    labels: tuple[str, ...] = ()
    """label names in the order of their numbers; empty: labels.json beside the data, else the sorted values"""
    validation: float = 0.1
    """share of the training rows to validate on, where the source has no validation split"""
    test: float = 0.1
    """share of the rows to test on, where the source is not split at all"""
    duplicates: Literal["keep", "drop"] = "keep"
    """drop: leave training rows out whose text came before or is in another split"""
    limit: int = 0
    """take so many rows of each split, for a quick trial; 0: all"""
    seed: int = 17
    """for which rows are dealt to which split"""

    def __post_init__(self) -> None:
        require(bool(self.source), "source is empty; name a file, a folder or a Hub dataset")
        require(0 <= self.validation < 1, "validation is a share of the rows, from 0 to below 1")
        require(0 <= self.test < 1, "test is a share of the rows, from 0 to below 1")
        require(self.validation + self.test < 1, "validation and test leave no rows to train on")
        require(self.limit >= 0, "limit is a number of rows, or 0 for all")

    @property
    def remote(self) -> bool:
        """Whether it names a dataset on the Hub: no such thing on disk, and the form of an id."""
        return not Path(self.source).exists() and looks_like_id(self.source)

    def pinned(self, known: MutableMapping[str, str]) -> Source:
        """With the Hub's commit in place of a branch."""
        if not self.remote:
            require(
                not self.revision, f"corpus.revision={self.revision}: {self.source} is on disk and has no revisions"
            )
            return self
        return replace(self, revision=pin("dataset", self.source, self.revision, known))

    def depends(self) -> dict[str, Any]:
        """Files count by their content, not by where they lie."""
        if self.remote:
            return {}
        layout = files.lay(Path(self.source))
        found = {part: [(file.suffix.lower(), file) for file in some] for part, some in layout.parts.items()}
        return {"source": {"files": found, "labels": layout.labels}}


@dataclass(frozen=True)
class Collection:
    """A source, and which of its columns to read."""

    source: Source
    columns: rows.Columns


def collect(config: Collection, out: Path) -> Corpus:
    """Check every row, settle the labels and the splits, and write what is to be learned from.

    Raises:
        UserError: the source cannot be read or used; the message names file and line.
    """
    source = config.source
    reading = _remote(config) if source.remote else _local(config)
    seen = {name: survey.Part() for name in reading.parts}
    for name, part in seen.items():
        part.see(reading.rows(name))
    values = [value for part in seen.values() for value in part.used()]
    settled = labels.settle(values, source.labels, reading.names, reading.place)
    for part in seen.values():
        part.settle(settled)
    chosen = _choose(source, seen)
    _refuse_empty(source, chosen)
    made = Corpus(out)
    for split, (name, wanted) in chosen.items():
        _write(made, split, reading.rows(name), seen[name].labels, wanted)
    made.write("labels.json", settled.names)
    report = survey.describe({split: (seen[name], wanted) for split, (name, wanted) in chosen.items()}, settled.names)
    report["empty"] = sum(label == survey.DROPPED for part in seen.values() for label in part.labels)
    made.write("data.json", report)
    for line in remarks(report):
        say(line)
    return made


def remarks(report: dict[str, Any]) -> Iterator[str]:
    """What a person should know of a corpus, from its ``data.json``."""
    for split, facts in report["splits"].items():
        balance = ", ".join(f"{name} {count:,}" for name, count in list(facts["per_label"].items())[:8])
        yield f"{split}: {facts['rows']:,} rows ({balance}{', …' if len(facts['per_label']) > 8 else ''})"
        if facts["repeated"]:
            yield f"{split}: {facts['repeated']:,} rows repeat an earlier text"
        if facts["contradicting"]:
            yield f"{split}: {facts['contradicting']:,} texts have more than one label"
        if absent := [name for name, count in facts["per_label"].items() if not count]:
            yield f"{split}: has no row of {', '.join(absent)}"
    for pair, count in report["shared"].items():
        yield f"{pair} share {count:,} rows" + ("; scores are flattered" if "test" in pair else "")
    if report["empty"]:
        yield f"{report['empty']:,} rows without text were left out"


@dataclass(frozen=True)
class _Reading:
    """Rows by part, as often as asked."""

    parts: tuple[str, ...]
    rows: Callable[[str], Iterator[rows.Row]]
    names: Sequence[str]  # label names that the source itself states
    place: str  # where it does


def _local(config: Collection) -> _Reading:
    layout = files.lay(Path(config.source.source))

    def read(part: str) -> Iterator[rows.Row]:
        return rows.read(layout.parts[part], config.columns, config.source.encoding)

    return _Reading(tuple(layout.parts), read, labels.listed(layout.labels), str(layout.labels))


def _remote(config: Collection) -> _Reading:
    """A Hub dataset at its commit, through ``datasets`` and its cache."""
    from datasets import ClassLabel, load_dataset

    found = load_dataset(config.source.source, revision=config.source.revision)
    known = {name: split for split, options in files.NAMES.items() for name in options}
    parts = {known[name]: found[name] for name in found if name in known}
    if "train" not in parts:
        raise UserError(f"{config.source.source}: no train split on the Hub; there are {', '.join(found)}")
    feature = parts["train"].features.get(config.columns.label)
    names = feature.names if isinstance(feature, ClassLabel) else ()

    def read(part: str) -> Iterator[rows.Row]:
        return rows.from_records(parts[part], config.columns, Path(config.source.source, part))

    return _Reading(tuple(parts), read, names, f"the features of {config.source.source}")


def _choose(source: Source, seen: dict[str, survey.Part]) -> dict[str, tuple[str, Sequence[int]]]:
    """For each split, from which part it comes and which rows of it."""
    every = {name: [i for i, label in enumerate(part.labels) if label != survey.DROPPED] for name, part in seen.items()}
    if files.WHOLE in seen:
        dealt = survey.divide(
            seen[files.WHOLE], [("validation", source.validation), ("test", source.test)], source.seed
        )
        chosen = {split: (files.WHOLE, found) for split, found in dealt.items()}
    else:
        chosen = {split: (split, every[split]) for split in files.NAMES if split in every}
        if "validation" not in chosen:
            dealt = survey.divide(seen["train"], [("validation", source.validation)], source.seed)
            chosen = {
                **{split: ("train", found) for split, found in dealt.items()},
                **{k: v for k, v in chosen.items() if k != "train"},
            }
    if source.duplicates == "drop":
        name, found = chosen["train"]
        elsewhere = {seen[n].hashes[i] for split, (n, some) in chosen.items() if split != "train" for i in some}
        chosen["train"] = (name, survey.without_repeats(seen[name], found, elsewhere))
    if source.limit:
        chosen = {
            split: (n, survey.sample(seen[n], some, source.limit, source.seed)) for split, (n, some) in chosen.items()
        }
    return {split: pair for split in files.NAMES if (pair := chosen.get(split)) and (pair[1] or split == "train")}


def _refuse_empty(source: Source, chosen: dict[str, tuple[str, Sequence[int]]]) -> None:
    if not chosen["train"][1]:
        raise UserError(f"{source.source}: no rows with text to train on; check the file and task.text")
    if "validation" not in chosen:
        raise UserError(
            f"{source.source}: no rows to validate on; add a validation file, or set corpus.validation to a share such as 0.1"
        )


def _write(made: Corpus, split: str, found: Iterator[rows.Row], numbers: Sequence[int], wanted: Sequence[int]) -> None:
    import pyarrow as pa

    schema = pa.schema([("text", pa.string()), ("label", pa.int32()), ("row", pa.int64())])
    wants = bytearray(len(numbers))
    for i in wanted:
        wants[i] = 1
    taken = (row for row in found if wants[row.number - 1])
    with pa.ipc.new_stream(str(made.path / f"{split}.arrow"), schema) as stream:
        while batch := list(islice(taken, BATCH)):
            texts = [row.text.strip() for row in batch]
            places = [row.number for row in batch]
            stream.write_batch(pa.record_batch([texts, [numbers[n - 1] for n in places], places], schema=schema))
