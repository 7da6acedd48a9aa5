"""Words of a text, the text of words, and what marked characters mean for words."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from pipeline.errors import UserError

# Scripts that put no space between words, as blocks of Unicode: Thai, Lao, Burmese, Khmer, Chinese and Japanese.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff\u19e0-\u19ff"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f]"
)
# Punctuation that is as wide as a Chinese character and brings its own space.
WIDE = re.compile(
    "[\u3001-\u303f\u30fb\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffe6]"
)
# Punctuation that Chinese shares with other languages: wide only beside such a script.
SHARED = re.compile("[\u00b7\u2014\u2015\u2018\u2019\u201c\u201d\u2025\u2026]")

# Shown by no mark of their own, but part of the word that they stand in: soft hyphen, non-joiner, word joiners.
INNER = "\u00ad\u200c\u2060\ufeff"
JOINER = "\u200d"

# Words in the letters of :func:`_kind`: one character of an unspaced script; two that make a flag; letters, digits
# and marks; any other character with its modifiers, and what joiners add to it, such as the members of a family.
WORD = re.compile(r"um*|rrm*|[wm]+(?:[ij]+[wm]+)*|[or][mst]*(?:jo[mst]*)*|sm*")

ONE = re.compile("[uwo][mst]*")  # a character with what changes it


class Mark(NamedTuple):
    """Characters from ``start`` to before ``end`` that a person has labelled; ``number`` counts from 1."""

    start: int
    end: int
    number: int
    label: str

    def __str__(self) -> str:
        return f"entity {self.number} ({self.start} to {self.end}, {self.label})"


def split(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, for tagging.

    A run of letters, digits and combining marks is a word, and so is each character of a script without spaces,
    each emoji with all that is joined to it, and each other character that can be seen.
    """
    return [match.span() for match in WORD.finditer("".join(map(_kind, text)))]


@cache
def _kind(character: str) -> str:
    """What a character is to a word: u of an unspaced script, w letter or digit, m combining mark, r half a flag,
    s skin tone, t tag of a flag, i inside a word, j joiner, a blank if it cannot be seen, and o any other."""
    category = unicodedata.category(character)
    place = ord(character)
    if category[0] == "M":
        return "m"
    if UNSPACED.match(character):
        return "u"
    if category[0] in "LN":
        return "w"
    if character == JOINER or character in INNER:
        return "j" if character == JOINER else "i"
    if 0xE0020 <= place <= 0xE007F:
        return "t"
    if 0x1F1E6 <= place <= 0x1F1FF:
        return "r"
    if 0x1F3FB <= place <= 0x1F3FF:
        return "s"
    return " " if character.isspace() or category in ("Cc", "Cf") else "o"


def units(text: str) -> set[str]:
    """The different words of a text, whatever their case."""
    return {text[begin:end].casefold() for begin, end in split(text)}


def join(words: Sequence[str], where: str) -> tuple[str, list[tuple[int, int]]]:
    """The text that words make, and where in it each begins and ends.

    Between two words is one space, but none where scripts or punctuation without spaces meet; nor between any, where each
    is a character, some of them of such a script: so are their digits and Latin letters given, which stand together.

    Raises:
        UserError: a word is empty, or only white space, or no text.
    """
    kept = [_checked(word, number, where) for number, word in enumerate(words, 1)]
    shared = any(UNSPACED.search(word) for word in kept)
    apart = not (shared and all(len(word) == 1 or ONE.fullmatch("".join(map(_kind, word))) for word in kept))
    parts: list[str] = []
    bounds: list[tuple[int, int]] = []
    length = 0
    for before, word in pairwise(["", *kept]):
        if before and apart and not (_dense(_last(before), shared) and _dense(word[0], shared)):
            parts.append(" ")
            length += 1
        parts.append(word)
        bounds.append((length, length + len(word)))
        length += len(word)
    return "".join(parts), bounds


def _checked(word: Any, number: int, where: str) -> str:
    if not isinstance(word, str):
        raise UserError(f"{where}: word {number} is {word!r:.40}, not text; put it into double quotes")
    if not word.strip():
        raise UserError(
            f"{where}: word {number} is {'empty' if not word else 'only white space'}; take it out, and its tag"
        )
    return word.strip()


def _dense(character: str, shared: bool) -> bool:
    """Whether a character stands close to its neighbour."""
    return bool(UNSPACED.match(character) or WIDE.match(character) or (shared and SHARED.match(character)))


def _last(word: str) -> str:
    """The last character that is no combining mark."""
    return next((character for character in reversed(word) if _kind(character) != "m"), word[-1])


def tagged(
    text: str, entities: Sequence[Mapping[str, Any] | Sequence[Any]], where: str
) -> tuple[list[tuple[int, int]], list[str]]:
    """The words of a text and their BIO tags, from characters that people have labelled.

    Args:
        text: what the entities count the characters (code points) of.
        entities: each ``{"start": 4, "end": 9, "label": "person"}``, or with ``start_offset`` and ``end_offset``, or with
            ``"labels": ["person"]``, or ``[4, 9, "person"]``.  A bound inside a word divides it; white space at the ends
            does not count.
        where: file and line, for messages.

    Raises:
        UserError: an entity is of another form, outside of the text, without a label or with several, holds no word,
            or has a word of another.
    """
    marks = sorted(_mark(entity, number, len(text), where) for number, entity in enumerate(entities, 1))
    bounds = sorted({0, len(text)}.union(*((mark.start, mark.end) for mark in marks)))
    words = [(begin + a, begin + b) for begin, end in pairwise(bounds) for a, b in split(text[begin:end])]
    tags = ["O"] * len(words)
    before = None
    for mark in marks:
        first, behind = (bisect_left(words, (bound, 0)) for bound in (mark.start, mark.end))
        if first == behind:
            raise UserError(f"{where}: {mark} is only white space; correct its bounds, or take it out")
        if before and tags[first] != "O":
            raise UserError(f"{where}: {before} and {mark} overlap, and a word has one tag; take one out")
        tags[first:behind] = [f"B-{mark.label}", *[f"I-{mark.label}"] * (behind - first - 1)]
        before = mark
    return words, tags


def _mark(entity: Any, number: int, length: int, where: str) -> Mark:
    start, end, given = _parts(entity, number, where)
    place = f"{where}: entity {number}"
    if not (_whole(start) and _whole(end)):
        raise UserError(f"{place} is from {start!r:.40} to {end!r:.40}, which must be whole numbers; correct it")
    if start >= end:
        raise UserError(
            f"{place} is from {start} to {end}, which is no character; the end is that of its last character plus 1"
        )
    if start < 0 or end > length:
        raise UserError(
            f"{place} is from {start} to {end}, outside of the text, which has {length:,} characters; count characters "
            "from 0, not bytes or UTF-16 units"
        )
    return Mark(start, end, number, _label(given, f"{place} ({start} to {end})"))


def _parts(entity: Any, number: int, where: str) -> tuple[Any, Any, Any]:
    """Start, end and label as they are given."""
    if isinstance(entity, Mapping):
        names = (("start", "start_offset"), ("end", "end_offset"), ("label", "labels"))
        start, end, label = (next((entity[name] for name in some if name in entity), None) for some in names)
        return start, end, label
    if isinstance(entity, list | tuple) and len(entity) in (2, 3):
        return entity[0], entity[1], entity[2] if len(entity) == 3 else None
    raise UserError(
        f'{where}: entity {number} is {entity!r:.40}; expected {{"start": 4, "end": 9, "label": "person"}} or [4, 9, "person"]'
    )


def _label(given: Any, place: str) -> str:
    labels = list(given) if isinstance(given, list | tuple) else [given]
    if len(labels) > 1:
        raise UserError(f"{place} has several labels, {', '.join(map(str, labels))}, and a word has one tag; leave one")
    label = labels[0] if labels else None
    if label is None or label == "" or (isinstance(label, str) and not label.strip()):
        raise UserError(f"{place} has no label; fill it in, or take the entity out")
    if not (isinstance(label, str) or _whole(label)):
        raise UserError(f"{place} has the label {label!r:.40}, which is no name; correct it")
    return str(label).strip()


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
