"""Texts to learn to write: from another text, as an answer in a conversation, or for their own sake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.corpora import values
from pipeline.corpora.columns import Layouts
from pipeline.corpora.forms import Example, bad_row, texts
from pipeline.corpora.labels import Labels
from pipeline.corpora.rows import Row
from pipeline.errors import UserError

# What the roles are called here, and in the files of ShareGPT.
ROLES = {"system": "system", "user": "user", "assistant": "assistant", "human": "user", "gpt": "assistant"}
MESSAGE = '{"role": "user", "content": "…"}'
WAY_OUT = "or set task.invalid=skip"
Turn = tuple[str, str]  # who said what


@dataclass(frozen=True)
class Written:
    """A ``text`` to read, and the ``target`` to write: a text, or a list of texts that are all right."""

    layouts: Layouts

    @property
    def schema(self) -> Mapping[str, str]:
        return {"text": "string", "label": "list<string>"}

    @property
    def typed(self) -> tuple[str, ...]:
        return ("text",)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Written:
        return self

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            fields, key = texts(row, self.layouts[0])
            target = _right(row) if key and "target" in row.fields else []
        yield Example(fields, key, target, written=sum(map(len, target[:1])))

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        return _without_labels(stated)

    def number(self, target: Any, settled: Labels) -> Any:
        return target


@dataclass(frozen=True)
class Plain:
    """A ``text``, and nothing to learn but itself."""

    layouts: Layouts

    @property
    def schema(self) -> Mapping[str, str]:
        return {"text": "string"}

    @property
    def typed(self) -> tuple[str, ...]:
        return ("text",)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Plain:
        return self

    def examples(self, row: Row) -> Iterator[Example]:
        with bad_row():
            fields, key = texts(row, self.layouts[0])
        yield Example(fields, key)

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        return _without_labels(stated)

    def number(self, target: Any, settled: Labels) -> Any:
        return target


@dataclass(frozen=True)
class Conversations:
    """``messages``, the last of which is learned; or a ``prompt`` and its ``response``, where ``input`` belongs to the prompt and
    ``system`` goes before it; or a ``text`` that answers nobody.

    The corpus has as ``roles`` and ``said`` what comes before what is learned.  A form that is not ``fitted`` reads rows to be
    answered: their messages may end with the user's.
    """

    layouts: Layouts
    learned: bool = False
    """whether each row must have an answer"""

    @property
    def schema(self) -> Mapping[str, str]:
        return {"roles": "list<string>", "said": "list<string>", "label": "string"}

    @property
    def typed(self) -> tuple[str, ...]:
        return ("prompt",)

    def fitted(self, rows: Iterable[Row], listed: Sequence[str]) -> Conversations:
        return replace(self, learned=True)

    def examples(self, row: Row) -> Iterator[Example]:
        if "text" in row.fields:
            with bad_row():
                text = values.text(row, "text").strip()
            yield Example({"roles": [], "said": []}, text, text, written=len(text))
            return
        with bad_row():
            before, answer = self._messages(row) if "messages" in row.fields else _asked(row)
        said = [text for _, text in before]
        fields = {"roles": [role for role, _ in before], "said": said, "prompt": said[-1] if said else ""}
        yield Example(fields, "\x1f".join(said), answer, written=len(answer))

    def settle(self, first: Mapping[str, str], stated: Sequence[str], listed: Sequence[str], place: str) -> Labels:
        return _without_labels(stated)

    def number(self, target: Any, settled: Labels) -> Any:
        return target

    def _messages(self, row: Row) -> tuple[list[Turn], str]:
        """What comes before the assistant's last message, and that; without it, if the row is one to be answered."""
        found = [_turn(one, number, row) for number, one in enumerate(values.items(row, "messages"), 1)]
        turns = [turn for turn in found if turn != ("system", "")]
        last = turns[-1][0] if turns else "nobody"
        if self.learned and last != "assistant":
            raise UserError(
                f"{row.where}: the last message is by {last}; end with the answer to learn, by assistant, {WAY_OUT}"
            )
        before, answer = (turns[:-1], turns[-1][1]) if last == "assistant" else (turns, "")
        if not before or before[-1][0] != "user":
            raise UserError(f"{row.where}: no message by user right before the answer; add it, {WAY_OUT}")
        return before, answer


def _without_labels(stated: Sequence[str]) -> Labels:
    """No labels.  Raises if some are stated."""
    if stated:
        raise UserError(f"corpus.labels={','.join(stated)}: this task learns texts, not labels; leave it out")
    return Labels([], indices=False)


def _right(row: Row) -> list[str]:
    """The texts of which each would be right, without empty ones."""
    given = row.fields["target"]
    several = isinstance(given, list) or (isinstance(given, str) and values.listed(given) is not None)
    found = values.texts(row, "target") if several else [values.text(row, "target")]
    if not any(text.strip() for text in found):
        raise UserError(f"{row.where}: no target; fill it in, {WAY_OUT}")
    return [text.strip() for text in found if text.strip()]


def _asked(row: Row) -> tuple[list[Turn], str]:
    """What a row with a prompt asks, nothing if there is none; and the response, if the row has one."""
    found = {name: values.text(row, name).strip() for name in row.fields}
    prompt = "\n\n".join(found[name] for name in ("prompt", "input") if found.get(name))
    if not prompt:
        return [], ""
    if found.get("response") == "":
        raise UserError(f"{row.where}: no response; fill it in, {WAY_OUT}")
    system = [("system", found["system"])] if found.get("system") else []
    return [*system, ("user", prompt)], found.get("response", "")


def _turn(message: Any, number: int, row: Row) -> Turn:
    """Who says what in a message; only ``system`` may say nothing."""
    where = f"{row.where}: message {number}"
    if not isinstance(message, dict):
        raise UserError(f"{where} is {message!r:.40}; expected {MESSAGE}")
    by, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
    role = ROLES.get(by.lower()) if isinstance(by, str) else None
    if role is None:
        raise UserError(f"{where} is by {by!r:.40}, not one of {', '.join(ROLES)}; correct it, {WAY_OUT}")
    content = "" if content is None else content
    if not isinstance(content, str):
        raise UserError(f"{where} holds {content!r:.40}, not text; expected {MESSAGE}")
    if not content.strip() and role != "system":
        raise UserError(f"{where} is empty; fill it in, {WAY_OUT}")
    return role, values.whole(row, "messages", content.strip())
