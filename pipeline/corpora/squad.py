"""Questions and answers in texts, from the nested JSON of SQuAD and CMRC 2018 and the forms of their flat records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import UserError

NEAR = 20  # characters that a start may be off: more is another place, not another way to count spaces
WAY_OUT = "correct it, or set task.invalid=skip"
FORMS = '[{"text": "…", "answer_start": 0}], ["…"] or "…"'


def flattened(document: Any, file: str) -> list[dict[str, Any]] | None:
    """A record ``{"id", "title", "context", "question", "answers": [{"text", "start"}]}`` for each question of nested JSON,
    with a start of None where none is given; None if the document is of another form.

    It reads SQuAD 1 and 2 (Rajpurkar et al. 2016, 2018), articles or paragraphs without the frame around them, and CMRC 2018
    in SQuAD's form and its own.

    Raises:
        UserError: a part of the document lacks what others have.
    """
    if isinstance(document, Mapping):
        document = document["data"] if isinstance(document.get("data"), list) else [document]
    if not (isinstance(document, list) and document and _nested(document[0])):
        return None
    records: list[dict[str, Any]] = []
    for title, paragraph, where in _paragraphs(document, file):
        context = _text(paragraph, ("context", "context_text"), where)
        for number, question in enumerate(_list(paragraph, "qas", where), 1):
            place = f"{where}, question {number}"
            asked = _text(question, ("question", "query_text"), place)
            name = next((question[key] for key in ("id", "query_id", "qid") if key in question), len(records) + 1)
            found = [] if question.get("is_impossible") is True else _given(question.get("answers"), place)
            told = [{"text": text, "start": start} for text, start in found]
            records.append({"id": str(name), "title": title, "context": context, "question": asked, "answers": told})
    return records


def _nested(part: Any) -> bool:
    return isinstance(part, Mapping) and any(isinstance(part.get(key), list) for key in ("paragraphs", "qas"))


def _paragraphs(document: list[Any], file: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """(title, paragraph, where) of each paragraph, in an article or without one."""
    for number, part in enumerate(document, 1):
        if isinstance(part, Mapping) and "paragraphs" in part:
            where = f"{file}, article {number}"
            for place, paragraph in enumerate(_list(part, "paragraphs", where), 1):
                yield str(part.get("title") or ""), paragraph, f"{where}, paragraph {place}"
        else:
            title = part.get("title") if isinstance(part, Mapping) else ""
            yield str(title or ""), part, f"{file}, paragraph {number}"


def _list(part: Any, name: str, where: str) -> list[Any]:
    found = part.get(name) if isinstance(part, Mapping) else None
    if not isinstance(found, list):
        raise UserError(f"{where}: no list {name!r}; correct it, or take the part out")
    return found


def _text(part: Any, names: tuple[str, ...], where: str) -> str:
    found = next((part[name] for name in names if name in part), None) if isinstance(part, Mapping) else None
    if not isinstance(found, str):
        raise UserError(f"{where}: no text {names[0]!r}; correct it, or take the part out")
    return found


def answers(value: Any, context: str, where: str, occurrence: bool = True) -> list[tuple[str, int]]:
    """The answers of one record, each with where it begins in the context, in code points: there stands that text.

    White space at the ends does not count.  A start at which the text does not stand is moved to the nearest place at most 20
    characters off.

    Args:
        value: ``[{"text", "answer_start"}]`` or with ``start``, ``{"text": [...], "answer_start": [...]}``, texts, a text,
            or nothing, which is no answer.
        context: what the question is about.
        where: file and line, for messages.
        occurrence: take the first place of a text that stands in several, where no start is given.

    Raises:
        UserError: it is of another form, or an answer is not in the context, or not where it should be.
    """
    return [_placed(text, start, context, where, occurrence) for text, start in _given(value, where)]


def moved(value: Any, context: str, where: str) -> bool:
    """Whether :func:`answers` moves the start of one that is given.

    Raises:
        UserError: see there.
    """
    given = [(text, start) for text, start in _given(value, where) if start is not None]
    return any(_placed(text, start, context, where, True)[1] != start for text, start in given)


def _given(value: Any, where: str) -> list[tuple[str, int | None]]:
    """Texts and starts as they are given, less those without text."""
    found = []
    for text, start in _pairs(value, where):
        if _nothing(text):
            continue
        if not isinstance(text, str):
            raise UserError(f"{where}: an answer is {text!r:.40}, not text; write {FORMS}")
        if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
            raise UserError(
                f"{where}: the start of answer {text!r:.60} is {start!r:.40}, not a whole number; correct it"
            )
        ahead = len(text) - len(text.lstrip())
        found.append((text.strip(), None if start is None or start < 0 else start + ahead))
    return found


def _pairs(value: Any, where: str) -> list[tuple[Any, Any]]:
    if _nothing(value):
        return []
    if isinstance(value, str):
        return [(value, None)]
    if isinstance(value, list | tuple):
        return [pair for each in value for pair in _pairs(each, where)]
    if not isinstance(value, Mapping) or "text" not in value:
        raise UserError(f"{where}: the answers are {value!r:.40}; write {FORMS}")
    texts = value["text"]
    starts = next((value[name] for name in ("answer_start", "start") if name in value), None)
    if not isinstance(texts, list | tuple):
        return [(texts, starts)]
    if starts is None:
        starts = [None] * len(texts)
    if not isinstance(starts, list | tuple) or len(starts) != len(texts):
        raise UserError(f"{where}: {len(texts)} texts of answers and other starts ({starts!r:.40}); correct it")
    return list(zip(texts, starts, strict=True))


def _nothing(value: Any) -> bool:
    """None, an empty or blank text, or NaN, which is not itself."""
    return value is None or (isinstance(value, str) and not value.strip()) or bool(value != value)


def _placed(text: str, start: int | None, context: str, where: str, occurrence: bool) -> tuple[str, int]:
    first = context.find(text)
    if first < 0:
        raise UserError(f"{where}: answer {text!r:.60} not in context {context!r:.60}; {WAY_OUT}")
    if start is None:
        if not occurrence and context.find(text, first + 1) >= 0:
            raise UserError(f"{where}: answer {text!r:.60} is in the context more than once; give its answer_start")
        return text, first
    before = context.rfind(text, max(start - NEAR, 0), start + len(text))
    behind = context.find(text, start, start + NEAR + len(text))
    near = [place for place in (before, behind) if place >= 0]
    if not near:
        stands = context[start : start + len(text)]
        there = f"but {stands!r:.60} is" if stands else f"which ends at {len(context)}"
        raise UserError(f"{where}: answer {text!r:.60} should be at {start} of the context, {there}; {WAY_OUT}")
    return text, min(near, key=lambda place: abs(place - start))
