"""Questions: with a passage that answers them, or with choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.corpora import jsons, squad, values
from pipeline.corpora.columns import Layouts
from pipeline.corpora.forms import Example, bad_row
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.errors import UserError
from pipeline.progress import say

TOLD = ("answer", "no answer")


@dataclass(frozen=True)
class Answered:
    """A ``question``, and the ``context`` that its ``answers`` stand in; without answers, it has none."""

    layouts: Layouts

    @property
    def schema(self) -> Mapping[str, str]:
        return {"question": "string", "context": "string", "answers": "list<string>", "label": "list<int32>"}

    @property
    def typed(self) -> tuple[str, ...]:
        return ("question", "context")

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Answered:
        """Itself, once it is told how many answers do not stand at the very character that is said."""
        places = [row.where for row in rows if _moved(row)]
        if places:
            say(
                f"answers stand up to {squad.NEAR} characters beside their answer_start in {len(places):,} rows, "
                f"such as {places[0]}: they are taken where they stand"
            )
        return self

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            question, context = values.text(row, "question").strip(), values.text(row, "context")
            found = squad.answers(_given(row, context), context, row.where) if context else []
        fields = {"question": question, "context": context, "answers": [text for text, _ in found]}
        key = f"{question}\x1f{context}" if question and context.strip() else ""
        yield Example(fields, key, [start for _, start in found], (TOLD[0] if found else TOLD[1],), group=context)

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        if TOLD[0] not in first:
            raise UserError(f"{place}: no question has an answer, so there is nothing to learn; check task.answers")
        return Labels(["start", "end"], indices=False, told=[name for name in TOLD if name in first])

    def number(self, target: Any, settled: Labels) -> Any:
        return target


@dataclass(frozen=True)
class Chosen:
    """A ``question`` and its ``choices``, of which ``answer`` is the right one: its number from 0, its letter, or itself."""

    layouts: Layouts

    @property
    def schema(self) -> Mapping[str, str]:
        return {"question": "string", "choices": "list<string>", "label": "int32"}

    @property
    def typed(self) -> tuple[str, ...]:
        return ("question", "choices")

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Chosen:
        return self

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            question = values.text(row, "question").strip()
            choices, names = _choices(row)
            target = _which(row.fields["answer"], choices, names, row.where) if "answer" in row.fields else None
        key = "\x1f".join([question, *choices]) if question else ""
        yield Example({"question": question, "choices": choices}, key, target)

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        return Labels(["score"], indices=False, told=[])

    def number(self, target: Any, settled: Labels) -> int:
        return int(target)


def _given(row: Row, context: str) -> Any:
    """Answers as the row has them, also as JSON in a cell; a text in brackets that stands in the passage is a text."""
    given = row.fields.get("answers")
    listed = values.listed(given) if isinstance(given, str) and (given not in context or given == "[]") else None
    return given if listed is None else listed


def _moved(row: Row) -> bool:
    with suppress(UserError):  # which is told when the row is read
        context = values.text(row, "context")
        return bool(context) and squad.moved(_given(row, context), context, row.where)
    return False


def _choices(row: Row) -> tuple[list[str], list[str]]:
    """The choices, and what they are called, if that is said."""
    found, names = row.fields["choices"], []
    if isinstance(found, dict) and "text" in found:  # as ARC (Clark et al. 2018) has it, with A, B, … or 1, 2, …
        row.fields["choices"] = found["text"]
        names = [values.plain(name) for name in found.get("label") or []]
    choices = [choice.strip() for choice in values.texts(row, "choices")]
    if len(choices) < 2 or not all(choices):
        raise UserError(f"{row.where}: {len(choices)} choices ({choices}); give it two or more, none of them empty")
    return choices, names


def _which(answer: Any, choices: Sequence[str], names: Sequence[str], where: str) -> int:
    written = values.plain(answer)
    if written in names[: len(choices)]:
        return names.index(written)
    itself = choices.index(written) if written in choices else None
    place = _place(written, len(choices))
    if isinstance(answer, int) or itself is None:  # a number in JSON is a place, also where choices are numbers
        if place is None:
            last = len(choices) - 1
            raise UserError(
                f"{where}: answer {answer!r} is none of the choices, nor a number from 0 to {last}, nor a letter from A to "
                f"{chr(ord('A') + last)}; correct it"
            )
        return place
    if place not in (None, itself):
        raise UserError(
            f"{where}: answer {answer!r} is a choice, and the place of another ({choices[place or 0]!r:.40}); write answers as "
            "letters, or in .jsonl as numbers"
        )
    return itself


def _place(written: str, count: int) -> int | None:
    """The place that a number or a letter says, if there is such a choice."""
    place = jsons.place(written)
    if len(written) == 1 and written.isascii() and written.isalpha():
        place = ord(written.upper()) - ord("A")
    return place if place is not None and place < count else None
