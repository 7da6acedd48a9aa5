"""Bring labelled text into one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.artifacts import Corpus
from pipeline.corpora import arrow, files, labels, remote, rows, survey
from pipeline.corpora.columns import Columns
from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.hub import looks_like_id, pin
from pipeline.progress import say, work

if TYPE_CHECKING:
    import numpy as np

BATCH = 10_000  # rows written at once


@dataclass(frozen=True)
class Source:
    """Where labelled text comes from, and how to read it."""

    source: str
    """a file, a folder with train, validation and test files or LABEL/*.txt, or a dataset's id on the Hub"""
    revision: str = ""
    """of a Hub dataset: a commit, branch or tag"""
    subset: str = ""
    """the folder inside the source to read, where it has several"""
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
        require(0 <= self.seed < 2**32, "seed is a whole number from 0 to 4294967295")

    @property
    def path(self) -> Path:
        """Where it is, if it is on disk."""
        return Path(self.source).expanduser()

    @property
    def remote(self) -> bool:
        """Whether it names a dataset on the Hub: no such thing on disk, and the form of an id."""
        place = self.path
        return not place.exists() and place.suffix.lower() not in files.FORMATS and looks_like_id(self.source)

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
        layout = files.lay(self.path, self.subset)
        found = {part: [(file.suffix.lower(), file) for file in some] for part, some in layout.parts.items()}
        return {"source": {"files": found, "labels": layout.labels}}


@dataclass(frozen=True)
class Collection:
    """A source, and which of its columns to read."""

    source: Source
    columns: Columns


def collect(config: Collection, out: Path) -> Corpus:
    """Check every row, settle the labels and the splits, and write what is to be learned from.

    Raises:
        UserError: the source cannot be read or used; the message names file and line.
    """
    source = config.source
    folder = remote.download(source.source, source.revision) if source.remote else source.path
    with remote.named_after(source.source, folder):
        layout = files.lay(folder, source.subset)
        seen = {name: survey.Part() for name in layout.parts}
        for name, part in seen.items():
            with work(f"reading {name}", 0) as advance:
                part.see(rows.read(layout.parts[name], config.columns, source.encoding), advance)
        settled = _settle(config, layout, seen)
        chosen = _choose(source, seen)
        made = Corpus(out)
        for split, (name, wanted) in chosen.items():
            found = rows.read(layout.parts[name], config.columns, source.encoding)
            _write(made, split, found, seen[name].labels, wanted)
    made.write("labels.json", settled.names)
    report = survey.describe({split: (seen[name], wanted) for split, (name, wanted) in chosen.items()}, settled.names)
    report["empty"] = sum(len(part.labels) - len(part.taken) for part in seen.values())
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


def _settle(config: Collection, layout: files.Layout, seen: Mapping[str, survey.Part]) -> labels.Labels:
    """Which number stands for which label, in every part."""
    source = config.source
    first: dict[str, rows.Row] = {}
    for part in seen.values():
        first = {**part.first, **first}
    if not first:
        raise UserError(f"{source.source}: no rows with text to train on; check the file and task.text")
    listed, place = labels.listed(layout.labels), str(layout.labels or source.source)
    if not listed:
        listed = arrow.class_names(next(iter(layout.parts.values()))[0], config.columns)
    if not listed and source.remote:
        listed = remote.names_in_card(layout.folder, config.columns.label)
    settled = labels.settle(first, source.labels, listed, place)
    for part in seen.values():
        part.settle(settled)
    return settled


def _choose(source: Source, seen: Mapping[str, survey.Part]) -> dict[str, tuple[str, np.ndarray]]:
    """For each split, from which part it comes and which rows of it.

    Raises:
        UserError: nothing is left to train or to validate on.
    """
    import numpy as np

    chosen = {name: (name, part.taken) for name, part in seen.items()}
    if files.WHOLE in seen:
        dealt = survey.divide(
            seen[files.WHOLE], [("validation", source.validation), ("test", source.test)], source.seed
        )
        chosen = {split: (files.WHOLE, found) for split, found in dealt.items()}
    elif "validation" not in seen:
        dealt = survey.divide(seen["train"], [("validation", source.validation)], source.seed)
        chosen |= {split: ("train", found) for split, found in dealt.items()}
    _refuse_empty(source, chosen)
    if source.duplicates == "drop":
        name, found = chosen["train"]
        others = [seen[n].hashes[some] for split, (n, some) in chosen.items() if split != "train"]
        chosen["train"] = (name, survey.without_repeats(seen[name], found, np.concatenate(others)))
        if not len(chosen["train"][1]):
            raise UserError(
                f"{source.source}: corpus.duplicates=drop leaves no rows to train on: all are in another split; keep them"
            )
    if source.limit:
        chosen = {
            split: (n, survey.sample(seen[n], some, source.limit, source.seed)) for split, (n, some) in chosen.items()
        }
    return {split: chosen[split] for split in files.NAMES if split in chosen and len(chosen[split][1])}


def _refuse_empty(source: Source, chosen: Mapping[str, tuple[str, np.ndarray]]) -> None:
    train, validation = (len(chosen[split][1]) for split in ("train", "validation"))
    if train and validation:
        return
    if source.validation and not validation and files.WHOLE not in chosen and chosen["validation"][0] == "validation":
        raise UserError(f"{source.source}: the validation file has no row with text; add some, or take the file away")
    if not source.validation:
        raise UserError(
            f"{source.source}: no rows to validate on; set corpus.validation to a share such as 0.1, or add a validation file"
        )
    raise UserError(
        f"{source.source}: {train or 'no'} rows to train on and {validation or 'no rows'} to validate on: "
        f"each label has too few to deal out with corpus.validation={source.validation:g} and corpus.test={source.test:g}; add rows, or raise the share; "
        "or is this the column of the label? task.label names it"
    )


def _write(made: Corpus, split: str, found: Iterator[rows.Row], numbers: np.ndarray, wanted: np.ndarray) -> None:
    import numpy as np
    import pyarrow as pa

    schema = pa.schema([("text", pa.string()), ("label", pa.int32()), ("row", pa.int64())])
    wants = np.zeros(len(numbers) + 1, bool)
    wants[wanted + 1] = True
    taken = (row for row in found if wants[row.number])
    with pa.ipc.new_stream(str(made.path / f"{split}.arrow"), schema) as stream:
        while batch := list(islice(taken, BATCH)):
            places = np.array([row.number for row in batch])
            columns = [[row.text.strip() for row in batch], numbers[places - 1], places]
            stream.write_batch(pa.record_batch(columns, schema=schema))
