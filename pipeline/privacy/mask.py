"""Personal data and secrets replaced in examples, whatever their form.

Masking stands around the form of a task, so that a corpus and a new text to be answered are masked by the same code, and a
corpus that is not masked does not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pipeline.corpora.columns import Layouts
from pipeline.corpora.forms import BadRow, Example, Form
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.privacy.findings import Finding, Kind, folded
from pipeline.privacy.recognizers import find

OUTSIDE = "O"
TEXTS = ("string", "list<string>")  # types of columns that hold what is written
DERIVED = ("roles", "answers")  # columns that are no texts, or cut out of one


@dataclass(frozen=True)
class Masked:
    """A form whose examples have ``[EMAIL]`` and the like in place of findings of ``kinds``; labels stay as they are."""

    form: Form
    kinds: tuple[Kind, ...]

    @property
    def layouts(self) -> Layouts:
        return self.form.layouts

    @property
    def schema(self) -> Mapping[str, str]:
        return self.form.schema

    @property
    def typed(self) -> tuple[str, ...]:
        return self.form.typed

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Masked:
        return replace(self, form=self.form.fitted(rows, listed))

    def examples(self, row: Row) -> Iterator[Example]:
        try:
            found = list(self.form.examples(row))
        except BadRow as error:  # quotes the row, and may be kept
            raise BadRow(*_Masking(self.kinds).said(error.problems)) from None
        for number, example in enumerate(found):
            made = _example(example, self.schema, self.kinds)
            yield replace(made, masked=()) if number else made  # several examples of a row have the same text

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        return self.form.settle(first, stated, listed, place)

    def number(self, target: Any, settled: Labels) -> Any:
        return self.form.number(target, settled)


def masked(form: Form, kinds: Sequence[Kind]) -> Form:
    """The form that masks these kinds, and no others; itself, if there are none."""
    bare = form.form if isinstance(form, Masked) else form
    return Masked(bare, tuple(kinds)) if kinds else bare


@dataclass(frozen=True)
class Replaced:
    """A text with other words in places; ``edits`` are (start, end) of what was there and of what is there now."""

    text: str
    edits: tuple[tuple[int, int, int, int], ...] = ()

    def begin(self, place: int) -> int:
        """Where something begins that began at ``place``; inside of what was replaced, where that does."""
        found = next((edit[2] for edit in self.edits if edit[0] <= place < edit[1]), None)
        return self._moved(place) if found is None else found

    def end(self, place: int) -> int:
        """Where something ends that ended before ``place``; inside of what was replaced, where that does."""
        found = next((edit[3] for edit in self.edits if edit[0] < place <= edit[1]), None)
        return self._moved(place) if found is None else found

    def _moved(self, place: int) -> int:
        return place + next((edit[3] - edit[1] for edit in reversed(self.edits) if edit[1] <= place), 0)


class _Masking:
    """One example: the same value is the same word in all of its texts, and another value is another word."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        self.found: list[Kind] = []
        self._words: dict[tuple[Kind, str], str] = {}

    def said(self, value: Any) -> Any:
        """A text or texts, masked."""
        return self.text(value).text if isinstance(value, str) else [self.text(each).text for each in value]

    def text(self, text: str, letters: Sequence[int] = ()) -> Replaced:
        """A text, masked; one whose ``letters`` are words of their own is read by these alone."""
        parts: list[str] = []
        edits: list[tuple[int, int, int, int]] = []
        done = length = 0
        for finding in _spelled(text, letters, self.kinds) if letters else find(text, self.kinds):
            word = self._word(finding)
            parts += text[done : finding.start], word
            begin = length + finding.start - done
            done, length = finding.end, begin + len(word)
            edits.append((finding.start, done, begin, length))
        return Replaced("".join([*parts, text[done:]]), tuple(edits))

    def _word(self, finding: Finding) -> str:
        self.found.append(finding.kind)
        value = finding.kind, _same(finding)
        if value not in self._words:
            number = 1 + sum(kind == finding.kind for kind, _ in self._words)
            self._words[value] = f"[{finding.kind.upper()}{f'_{number}' if number > 1 else ''}]"
        return self._words[value]


def _spelled(text: str, letters: Sequence[int], kinds: Sequence[Kind]) -> Iterator[Finding]:
    """What is found in a text that has blanks between its letters; ``letters`` are where these stand."""
    for found in find("".join(text[place] for place in letters), kinds):
        yield Finding(found.kind, letters[found.start], letters[found.end - 1] + 1, found.text)


def _letters(fields: Mapping[str, Any]) -> list[int]:
    """Where the words of a sentence stand, if each is one character, as in many Chinese sources."""
    bounds = list(zip(fields.get("begins", ()), fields.get("ends", ()), strict=True))
    return [begin for begin, _ in bounds] if all(end - begin == 1 for begin, end in bounds) else []


def _same(finding: Finding) -> str:
    """What is equal for one value however it is written."""
    plain = folded(finding.text).casefold()
    return plain if finding.kind in ("email", "secret") else re.sub("[ .()-]", "", plain)


def _example(example: Example, schema: Mapping[str, str], kinds: Sequence[Kind]) -> Example:
    masking = _Masking(kinds)
    texts: dict[str, Replaced] = {}
    fields, target = dict(example.fields), example.target
    for name in [name for name, kind in schema.items() if kind in TEXTS and name in fields and name not in DERIVED]:
        if isinstance(fields[name], str):
            texts[name] = masking.text(fields[name], _letters(fields))
            fields[name] = texts[name].text
        else:
            fields[name] = masking.said(fields[name])
    if schema.get("label") in TEXTS and target:
        target = masking.said(target)
    if not masking.found:
        return example
    found = tuple(masking.found)
    fields |= {
        name: masking.said(text) for name, text in fields.items() if isinstance(text, str) and name not in schema
    }
    key, group = (_key(each, example, fields, masking) for each in (example.key, example.group))
    written = len(target if isinstance(target, str) else target[0]) if example.written else 0
    made = replace(example, fields=fields, target=target, key=key, group=group, written=written, masked=found)
    if "begins" in fields:
        return _with_words(made, texts["text"])
    return _with_answers(made, texts["context"]) if "answers" in fields else made


def _key(key: str, example: Example, fields: Mapping[str, Any], masking: _Masking) -> str:
    """The key of what is masked; that of a sentence is made of its text, for its letters are no words there."""
    if "begins" in fields:
        return key.replace(example.fields["text"].strip(), fields["text"].strip())
    return masking.text(key).text


def _with_words(example: Example, text: Replaced) -> Example:
    """Words that a finding touches are one word, whose tag is that of the first span there."""
    bounds: list[tuple[int, int]] = []
    places: list[int] = []  # of each word that was, among those that are
    for old in zip(example.fields["begins"], example.fields["ends"], strict=True):
        begin, end = text.begin(old[0]), text.end(old[1])
        if bounds and begin < bounds[-1][1]:
            bounds[-1] = bounds[-1][0], max(bounds[-1][1], end)
        else:
            bounds.append((begin, end))
        places.append(len(bounds) - 1)
    fields = {**example.fields, "begins": [begin for begin, _ in bounds], "ends": [end for _, end in bounds]}
    if "predicate" in fields:
        fields["predicate"] = places[fields["predicate"]]
    tags = _tags(example.target, places)
    kept = tuple(value for value in example.values if any(value in (tag, tag[2:]) for tag in tags))
    return replace(example, fields=fields, target=tags, values=kept)


def _tags(tags: Sequence[str], places: Sequence[int]) -> list[str]:
    made: list[str] = []
    for tag, place in zip(tags, places, strict=False):  # there are none in a row to be answered
        if place == len(made):
            made.append(tag)
        elif made[place] == OUTSIDE:
            made[place] = tag
    # What is left of a span that began in a word of another's now begins behind it.
    follows = (tag.startswith("I-") and before[2:] != tag[2:] for before, tag in pairwise([OUTSIDE, *made]))
    return [f"B-{tag[2:]}" if alone else tag for tag, alone in zip(made, follows, strict=True)]


def _with_answers(example: Example, context: Replaced) -> Example:
    """An answer that a finding touches reaches to the ends of it."""
    old = zip(example.fields["answers"], example.target, strict=True)
    bounds = [(context.begin(start), context.end(start + len(text))) for text, start in old]
    fields = {**example.fields, "answers": [context.text[begin:end] for begin, end in bounds]}
    return replace(example, fields=fields, target=[begin for begin, _ in bounds])
