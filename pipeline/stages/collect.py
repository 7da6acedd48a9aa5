"""Bring labelled text into one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Corpus
from pipeline.corpora import arrow, columns, dealing, files, labels, remote, rows, survey
from pipeline.corpora.columns import Layouts
from pipeline.corpora.forms import BadRow, Example, Form, examples
from pipeline.corpora.source import Source
from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.progress import say, work

if TYPE_CHECKING:
    import numpy as np

BATCH = 10_000  # rows written at once


@dataclass(frozen=True)
class Collection:
    """A source, and how to read its rows."""

    source: Source
    form: Form
    skip: bool = False
    """leave bad rows out, instead of refusing them"""

    def __post_init__(self) -> None:
        require(
            tuple(getattr(self.form, "kinds", ())) == self.source.mask,
            f"mask={','.join(self.source.mask)}: the form masks something else; give the one that pipeline.privacy.mask.masked makes",
        )


def collect(config: Collection, out: Path) -> Corpus:
    """Check every row, settle the labels and the splits, and write what is to be learned from.

    Raises:
        UserError: the source cannot be read or used; the message names file and line.
    """
    source = config.source
    folder = remote.download(source.source, source.revision) if source.remote else source.path
    with remote.named_after(source.source, folder):
        layout = files.lay(folder, source.subset, plain=bool(columns.alone(config.form.layouts)))
        listed = _listed(source, layout, config.form)
        rows_of = partial(_rows, layout, config.form.layouts, source.encoding)
        whole = (row for name in layout.parts for row in rows_of(name) if not row.problem)
        form = config.form.fitted(whole, listed)
        seen = {name: survey.Part() for name in layout.parts}
        for name, part in seen.items():
            with work(f"reading {name}", 0) as advance:
                part.see(rows_of(name), form, skip=config.skip, advance=advance)
        settled = _settle(source, form, layout, listed, seen)
        chosen = _choose(source, form, seen)
        made = Corpus(out)
        for split, (name, wanted) in chosen.items():
            _write(made, split, form, settled, _examples(rows_of(name), form, skip=config.skip), wanted)
    made.write("labels.json", settled.names)
    report = survey.describe({split: (seen[name], wanted) for split, (name, wanted) in chosen.items()}, settled.told)
    report["empty"] = sum(len(part.hashes) - len(part.taken) for part in seen.values())
    report["skipped"] = [problem for part in seen.values() for problem in part.skipped]
    if source.mask:
        report["mask"] = list(source.mask)
        for split, (name, wanted) in chosen.items():
            report["splits"][split]["masked"] = seen[name].masked(wanted, source.mask)
    made.write("data.json", report)
    for line in remarks(report):
        say(line)
    return made


def remarks(report: dict[str, Any]) -> Iterator[str]:
    """What a person should know of a corpus, from its ``data.json``."""
    for split, facts in report["splits"].items():
        yield f"{split}: {facts['rows']:,} rows{_balance(facts)}"
        if facts["repeated"]:
            yield f"{split}: {facts['repeated']:,} rows repeat an earlier text"
        if facts["contradicting"]:
            yield f"{split}: {facts['contradicting']:,} texts have more than one label"
        if absent := [name for name, count in facts["per_label"].items() if not count]:
            yield f"{split}: has no row of {', '.join(absent)}"
    for pair, count in report["shared"].items():
        yield f"{pair} share {count:,} rows" + ("; scores are flattered" if "test" in pair else "")
    if kinds := report.get("mask"):
        masked = [facts["masked"] for facts in report["splits"].values()]
        yield f"masked: {', '.join(f'{kind} {sum(found[kind] for found in masked):,}' for kind in kinds)}"
    if report["empty"]:
        yield f"{report['empty']:,} rows without text were left out"
    if report["skipped"]:
        yield f"{len(report['skipped']):,} bad rows were left out; data.json lists them, the first is {report['skipped'][0]}"


def _balance(facts: dict[str, Any]) -> str:
    """What the rows of a split are made up of, in brackets."""
    counts = [f"{name} {count:,}" for name, count in facts["per_label"].items()]
    if "numbers" in facts:
        counts = [f"{name} {value:g}" for name, value in facts["numbers"].items()]
    if "written" in facts:
        counts = [f"characters to write: mean {facts['written']['mean']:,}", f"longest {facts['written']['longest']:,}"]
    return f" ({', '.join(counts[:8])}{', …' if len(counts) > 8 else ''})" if counts else ""


def _rows(layout: files.Layout, layouts: Layouts, encoding: str, part: str) -> Iterator[rows.Row]:
    return rows.read(layout.parts[part], layouts, encoding)


def _examples(found: Iterator[rows.Row], form: Form, *, skip: bool) -> Iterator[tuple[int, Example]]:
    """The examples of all rows with their numbers, but those of bad rows that are to be left out."""
    for row in found:
        try:
            yield from ((row.number, example) for example in examples(form, row))
        except BadRow:
            if not skip:
                raise


def _listed(source: Source, layout: files.Layout, form: Form) -> list[str]:
    """The label names that the source states, in the order of their numbers; none if it does not."""
    found = labels.listed(layout.labels)
    if not found:
        found = arrow.class_names(next(iter(layout.parts.values()))[0], form.layouts)
    if not found and source.remote:
        targets = [column for some in form.layouts for column in some if column.target]
        found = remote.names_in_card(layout.folder, [name for c in targets for name in (c.name, *c.others)])
    return found


def _settle(
    source: Source, form: Form, layout: files.Layout, listed: Sequence[str], seen: Mapping[str, survey.Part]
) -> labels.Labels:
    """Which number stands for which label, in every part."""
    first: dict[str, str] = {}
    for part in seen.values():
        first = {**part.first, **first}
    if not any(len(part.taken) for part in seen.values()):
        bad = [problem for part in seen.values() for problem in part.skipped]
        why = (
            f"{len(bad):,} are bad, the first: {bad[0]}"
            if bad
            else f"check the file and task.{form.layouts[0][0].field}"
        )
        raise UserError(f"{source.source}: no rows with text to train on; {why}")
    settled = form.settle(first, source.labels, listed, str(layout.labels or source.source))
    for part in seen.values():
        part.settle(settled)
    return settled


def _choose(source: Source, form: Form, seen: Mapping[str, survey.Part]) -> dict[str, tuple[str, np.ndarray]]:
    """For each split, from which part it comes and which rows of it.

    Raises:
        UserError: nothing is left to train or to validate on.
    """
    import numpy as np

    chosen = {name: (name, part.taken) for name, part in seen.items()}
    if files.WHOLE in seen:
        dealt = dealing.divide(
            seen[files.WHOLE], [("validation", source.validation), ("test", source.test)], source.seed
        )
        chosen = {split: (files.WHOLE, found) for split, found in dealt.items()}
    elif "validation" not in seen:
        dealt = dealing.divide(seen["train"], [("validation", source.validation)], source.seed)
        chosen |= {split: ("train", found) for split, found in dealt.items()}
    _refuse_empty(source, form, chosen)
    if source.duplicates == "drop":
        name, found = chosen["train"]
        others = [seen[n].hashes[some] for split, (n, some) in chosen.items() if split != "train"]
        chosen["train"] = (name, dealing.without_repeats(seen[name], found, np.concatenate(others)))
        if not len(chosen["train"][1]):
            raise UserError(
                f"{source.source}: corpus.duplicates=drop leaves no rows to train on: all are in another split; keep them"
            )
    if source.limit:
        chosen = {
            split: (n, dealing.sample(seen[n], some, source.limit, source.seed)) for split, (n, some) in chosen.items()
        }
    return {split: chosen[split] for split in files.NAMES if split in chosen and len(chosen[split][1])}


def _refuse_empty(source: Source, form: Form, chosen: Mapping[str, tuple[str, np.ndarray]]) -> None:
    train, validation = (len(chosen[split][1]) for split in ("train", "validation"))
    if train and validation:
        return
    if source.validation and not validation and files.WHOLE not in chosen and chosen["validation"][0] == "validation":
        raise UserError(f"{source.source}: the validation file has no row with text; add some, or take the file away")
    if not source.validation:
        raise UserError(
            f"{source.source}: no rows to validate on; set corpus.validation to a share such as 0.1, or add a validation file"
        )
    fields = [column.field for column in form.layouts[0] if column.field in ("label", "labels")]
    hint = f"; or is this the column of the {fields[0]}? task.{fields[0]} names it" if fields else ""
    raise UserError(
        f"{source.source}: {train or 'no'} rows to train on and {validation or 'no rows'} to validate on: "
        f"{'each label has' if fields else 'there are'} too few to deal out with corpus.validation={source.validation:g} and corpus.test={source.test:g}, "
        f"where what has the same text stays together; add rows, or raise the share{hint}"
    )


def _write(
    made: Corpus,
    split: str,
    form: Form,
    settled: labels.Labels,
    found: Iterator[tuple[int, Example]],
    wanted: np.ndarray,
) -> None:
    import numpy as np
    import pyarrow as pa

    types = {name: arrow.type_of(kind) for name, kind in {**form.schema, "row": "int64"}.items()}
    schema = pa.schema(list(types.items()))
    wants = np.zeros(int(wanted.max()) + 1, bool)
    wants[wanted] = True
    taken = (each for place, each in enumerate(islice(found, len(wants))) if wants[place])
    with pa.ipc.new_stream(str(made.path / f"{split}.arrow"), schema) as stream:
        while batch := list(islice(taken, BATCH)):
            cells = {name: [example.fields[name] for _, example in batch] for name in form.schema if name != "label"}
            cells["row"] = [number for number, _ in batch]
            if "label" in types:
                cells["label"] = [form.number(example.target, settled) for _, example in batch]
            arrays = [pa.array(cells[name], kind) for name, kind in types.items()]
            stream.write_batch(pa.record_batch(arrays, schema=schema))
