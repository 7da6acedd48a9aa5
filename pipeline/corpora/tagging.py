"""Sentences whose words have tags: entities, parts of speech, semantic roles.

Whatever form a source has, a corpus holds the text of a sentence, where each word begins and ends in it (characters),
and a tag a word.  Spans are in BIO.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.corpora import jsons, labels, schemes, values, words
from pipeline.corpora.columns import Layouts
from pipeline.corpora.forms import Example, bad_row
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.errors import UserError
from pipeline.progress import say

SCHEMA = {"text": "string", "begins": "list<int32>", "ends": "list<int32>", "label": "list<int32>"}
FRAME = '{"predicate": 1, "args": [{"start": 2, "end": 3, "label": "ARG1"}]}'
MARKED = re.compile(r"\*([^\s*]+)\*")  # the predicate in a text without further ado
Bounds = list[tuple[int, int]]


@dataclass(frozen=True)
class Tagged:
    """Sentences as ``words`` with ``tags``, or as ``text`` with ``spans``."""

    layouts: Layouts
    repair: bool = False
    """mend tags that do not follow from each other, instead of refusing them"""
    plain: bool = False
    """each word has a tag of its own: refuse those that mark spans"""
    scheme: str = ""
    names: tuple[str, ...] = ()  # of the tags, where they are numbers

    @property
    def schema(self) -> Mapping[str, str]:
        return SCHEMA

    @property
    def typed(self) -> tuple[str, ...]:
        return ("text",)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Tagged:
        form = replace(self, names=tuple(listed))
        found = schemes.scheme(form._readable(rows))
        if found in ("IOB1", "BIOES"):
            say(f"tags are in {found}; read as BIO")
        if found == "plain" and not self.plain:
            say("tags mark no spans, which begin with B- or I-: each word is learned and scored by itself")
        return replace(form, scheme=found)

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            text, bounds, tags = self._spans(row) if "text" in row.fields else self._words(row)
        kinds = tuple(sorted({tag if self.scheme == "plain" else tag[2:] for tag in tags} - {""}))
        yield Example(_fields(text, bounds), text.strip(), tags, kinds)

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        if self.scheme == "plain":
            return labels.settle(first, stated, listed, place)
        if self.plain and first:
            raise UserError(
                f"{place}: the tags mark spans, such as {min(first)}, and this task learns a tag of each word; "
                "name the column of these with task.tags=NAME, or learn spans with the recipe ner"
            )
        return _bio(first, stated, listed, place, "task.tags or task.spans")

    def number(self, target: Any, settled: Labels) -> list[int]:
        return [settled.number(tag) for tag in target]

    def _words(self, row: Row) -> tuple[str, Bounds, list[str]]:
        found = values.texts(row, "words")
        text, bounds = words.join(found, row.where)
        if "tags" not in row.fields:
            return text, bounds, []
        tags = self._tags(row)
        if len(tags) != len(found):
            raise UserError(
                f"{row.where}: {len(found)} words in {row.names['words']!r}, but {len(tags)} tags in {row.names['tags']!r}; give each word one"
            )
        if self.scheme == "plain":
            if "" in tags:
                raise UserError(
                    f"{row.where}: word {tags.index('') + 1} has no tag; fill it in, or set task.invalid=skip"
                )
            return text, bounds, tags
        if self.repair:
            return text, bounds, schemes.repaired(tags, self.scheme)
        return text, bounds, schemes.to_bio(tags, self.scheme, row.where)

    def _spans(self, row: Row) -> tuple[str, Bounds, list[str]]:
        text = values.text(row, "text")
        if "spans" not in row.fields:
            return text, words.split(text), []
        return text, *words.tagged(text, values.items(row, "spans"), row.where)

    def _readable(self, rows: Iterable[Row]) -> Iterator[list[str]]:
        """The tags of all rows but bad ones, of which is said what is wrong when their examples are made."""
        for row in rows:
            if "tags" in row.fields:
                try:
                    tags = self._tags(row)
                except UserError:
                    continue
                yield tags

    def _tags(self, row: Row) -> list[str]:
        return [values.named(tag, self.names, row.where) for tag in values.items(row, "tags")]


@dataclass(frozen=True)
class Framed:
    """Sentences with semantic roles: an example for each of the ``frames`` of a sentence, which has the number of the
    word that is its ``predicate``, and ``args`` with ``start``, ``end`` (the last word) and ``label`` of each; or with one
    ``predicate`` and ``tags``; or a ``text`` with the predicate between asterisks."""

    layouts: Layouts
    tagged: Tagged

    @property
    def schema(self) -> Mapping[str, str]:
        return {"predicate": "int32", **SCHEMA}

    @property
    def typed(self) -> tuple[str, ...]:
        return ("text",)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Framed:
        return replace(self, tagged=self.tagged.fitted(rows, listed))

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            found = list(self._frames(row))
        for text, bounds, predicate, tags in found:
            fields = {**_fields(text, bounds), "predicate": predicate}
            kinds = tuple(sorted({tag[2:] for tag in tags} - {""}))
            yield Example(fields, f"{text}\x1f{predicate}", tags, kinds, group=text)

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        return _bio(first, stated, listed, place, "task.frames or task.tags")

    def number(self, target: Any, settled: Labels) -> list[int]:
        return self.tagged.number(target, settled)

    def _frames(self, row: Row) -> Iterator[tuple[str, Bounds, int, list[str]]]:
        if "text" in row.fields:
            yield *_marked(values.text(row, "text"), row.where), []
            return
        if "frames" not in row.fields:
            text, bounds, tags = self.tagged._words(row)
            if self.tagged.scheme == "plain" and (odd := sorted({*tags} - {"O"})):
                raise UserError(f"{row.where}: tag {odd[0]!r} marks no span; those of roles begin with B- or I-")
            predicate = _word(row.fields["predicate"], len(bounds), "predicate", row.where)
            yield text, bounds, predicate, _without(predicate, tags)
            return
        text, bounds = words.join(values.texts(row, "words"), row.where)
        for frame in values.items(row, "frames"):
            if not isinstance(frame, dict):
                raise UserError(f"{row.where}: a frame is {frame!r:.40}; expected {FRAME}")
            predicate = _word(frame.get("predicate"), len(bounds), "predicate", row.where)
            yield text, bounds, predicate, _arguments(frame.get("args", []), len(bounds), row.where)


def _fields(text: str, bounds: Bounds) -> dict[str, Any]:
    return {"text": text, "begins": [begin for begin, _ in bounds], "ends": [end for _, end in bounds]}


def _bio(first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str, columns: str) -> Labels:
    """The labels of spans: as the source lists them, if that is in BIO, or made of the kinds of span.

    Args:
        columns: the settings to check, if there are none.
    """
    kinds = list(dict.fromkeys(schemes.kind(name) for name in stated or listed))
    kinds = [kind for kind in kinds if kind != "O"] or sorted(first)
    if not kinds:
        raise UserError(f"{place}: no span is marked anywhere, so there is nothing to learn; check {columns}")
    names = ["O", *(f"{prefix}-{kind}" for kind in kinds for prefix in "BI")]
    if sorted(listed) == sorted(names):
        names = list(listed)  # so that its numbers stay what they are
    return Labels(names, indices=False, told=kinds)


def _arguments(args: Any, count: int, where: str) -> list[str]:
    """BIO tags of one frame's arguments: a list of objects, or an object of lists."""
    if isinstance(args, dict) and len({len(found) if isinstance(found, list) else -1 for found in args.values()}) == 1:
        args = [dict(zip(args, found, strict=True)) for found in zip(*args.values(), strict=True)]
    if not isinstance(args, list) or not all(isinstance(one, dict) for one in args):
        raise UserError(f"{where}: the args of a frame are {args!r:.40}; expected {FRAME}")
    tags = ["O"] * count
    for one in args:
        start, end = (_word(one.get(name), count, name, where) for name in ("start", "end"))
        if not values.plain(one.get("label")):
            raise UserError(f"{where}: argument {one} has no label; fill it in, or take it out")
        if start > end or any(tag != "O" for tag in tags[start : end + 1]):
            raise UserError(f"{where}: argument {one} ends before it starts, or overlaps another; correct it")
        tags[start : end + 1] = [f"B-{one['label']}", *[f"I-{one['label']}"] * (end - start)]
    return tags


def _without(predicate: int, tags: list[str]) -> list[str]:
    """The tags but that of the predicate, which is no argument, though many sources tag it, mostly as V; then all words
    that are V, such as both of "looked up", or of "looked it up"."""
    marked = ("B-V", "I-V") if tags and tags[predicate] in ("B-V", "I-V") else ()
    return ["O" if n == predicate or tag in marked else tag for n, tag in enumerate(tags)]


def _word(value: Any, count: int, what: str, where: str) -> int:
    """The number of a word."""
    written = values.plain(value)
    place = jsons.place(written)
    if place is None or place >= count:
        raise UserError(f"{where}: {what} {value!r:.40} is not the number of one of {count} words, from 0; correct it")
    return place


def _marked(text: str, where: str) -> tuple[str, Bounds, int]:
    """A text with its predicate between asterisks, without them, and which word that is."""
    marked = list(MARKED.finditer(text))
    if not marked or not words.split(marked[0][1]):
        raise UserError(f"{where}: no predicate; put it between asterisks, as in: The cook *gave* the guests soup.")
    if len(marked) > 1:
        raise UserError(
            f"{where}: {' and '.join(found[0] for found in marked[:3])} are between asterisks, but a text has one predicate; "
            "take the others away, or give each a text of its own"
        )
    (found,) = marked
    begin = found.start()
    text, after = text[:begin] + found[1] + text[found.end() :], begin + len(found[1])
    bounds = words.split(text)
    return text, bounds, next(n for n, (first, end) in enumerate(bounds) if end > begin and first < after)
