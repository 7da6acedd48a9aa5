"""Tags of spans in the schemes that people write them in, turned into one: BIO, where each span begins with B-."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.errors import UserError

PREFIXED = re.compile(r"([BIESLUM])-(.+)")
SUFFIXED = re.compile(r"(.+)-([BIESLUM])")
SAME = {"M": "I", "L": "E", "U": "S"}  # middle, last and unit, as BMES and BILOU call them
ALLOWED = {"BIO": "BIO", "IOB1": "BIO", "BIOES": "BIOES"}


class Tag(NamedTuple):
    """``letter``: B begins a span, I goes on, E ends it, S is all of one, O is outside of any.  ``kind``: of the span."""

    letter: str
    kind: str

    @property
    def open(self) -> bool:
        """Whether the span can go on behind it, in a scheme that marks ends."""
        return self.letter in "BI"


OUTSIDE = Tag("O", "")


def scheme(sentences: Iterable[Sequence[str]]) -> str:
    """What all tags of a corpus are written in: ``BIO``, ``IOB1``, ``BIOES`` (or BILOU, BMES), or ``plain``, which
    stands for tags that mark no spans, such as parts of speech.

    In IOB1 (Ramshaw and Marcus 1995) a span begins with I-, and with B- only directly behind one of its kind.  What
    is valid BIO is BIO; what is not is IOB1 only if every B- stands like that.
    """
    tags: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for sentence in sentences:
        tags.update(sentence)
        pairs.update(pairwise(("O", *sentence)))
    if not _marks_spans(tags - {"O"}):
        return "plain"
    read = {tag: _read(tag) or Tag("", tag) for tag in tags | {"O"}}
    if any(tag.letter in ("E", "S") for tag in read.values()):
        return "BIOES"
    turns = [(read[before], read[after]) for before, after in pairs]
    bare = any(after.letter == "I" and before.kind != after.kind for before, after in turns)
    free = any(after.letter == "B" and before.kind != after.kind for before, after in turns)
    return "IOB1" if bare and not free else "BIO"


def _marks_spans(tags: set[str]) -> bool:
    """Whether tags other than O are of any scheme; one that is not may be a mistake beside B-X and I-X, which are."""
    prefixed = {match.groups() for tag in tags if (match := PREFIXED.fullmatch(tag))}
    if len(prefixed) == len(tags) or any(letter == "B" and ("I", kind) in prefixed for letter, kind in prefixed):
        return True
    suffixed = {match[2] for tag in tags if (match := SUFFIXED.fullmatch(tag))}
    return "B" in suffixed and not prefixed and all(SUFFIXED.fullmatch(tag) for tag in tags)


def _read(tag: str) -> Tag | None:
    """The letter and the kind of ``B-PER`` or ``PER-B``; None if it has none."""
    if tag == "O":
        return OUTSIDE
    if match := PREFIXED.fullmatch(tag):
        return Tag(SAME.get(match[1], match[1]), match[2])
    if match := SUFFIXED.fullmatch(tag):
        return Tag(SAME.get(match[2], match[2]), match[1])
    return None


def kind(tag: str) -> str:
    """What a prefixed tag marks spans of; any other is a kind itself."""
    found = PREFIXED.fullmatch(tag)
    return found[2] if found else tag


def to_bio(tags: Sequence[str], scheme: str, where: str) -> list[str]:
    """The tags of a sentence in BIO; plain ones stay as they are.

    Raises:
        UserError: a tag is not of the scheme, or cannot stand where it does.
    """
    if scheme == "plain":
        return list(tags)
    before, name = OUTSIDE, "at the start"
    for number, tag in enumerate(tags, 1):
        read = _read(tag)
        if read is None or read.letter not in ALLOWED[scheme]:
            raise UserError(f"{where}: word {number} has the tag {tag!r}, which is not {scheme}; {_way_out()}")
        if not _follows(before, read, scheme):
            raise UserError(f"{where}: word {number} has the tag {tag} {name}, which is not {scheme}; {_way_out()}")
        before, name = read, f"after {tag}"
    if not _follows(before, OUTSIDE, scheme):
        raise UserError(
            f"{where}: word {len(tags)} has the tag {tags[-1]} at the end, which is not {scheme}; {_way_out()}"
        )
    return repaired(tags, scheme)


def _way_out() -> str:
    return "correct it, or set task.invalid=repair"


def _follows(before: Tag, after: Tag, scheme: str) -> bool:
    """Whether two tags may stand side by side."""
    if scheme == "IOB1":
        return True
    goes_on = before.open and before.kind == after.kind
    if scheme == "BIO":
        return after.letter != "I" or goes_on
    return goes_on if after.letter in ("I", "E") else not before.open


def repaired(tags: Sequence[str], scheme: str) -> list[str]:
    """The tags of a sentence in BIO, whatever they are, read as CoNLL's script conlleval does: what continues nothing
    begins a span.  A tag without a letter goes on like I-."""
    if scheme == "plain":
        return list(tags)
    read = [_read(tag) or (Tag("I", tag) if tag.strip() else OUTSIDE) for tag in tags]
    return [_written(before, tag) for before, tag in pairwise([OUTSIDE, *read])]


def _written(before: Tag, tag: Tag) -> str:
    if tag.letter == "O":
        return "O"
    begins = tag.letter in ("B", "S") or not (before.open and before.kind == tag.kind)
    return f"{'B' if begins else 'I'}-{tag.kind}"
