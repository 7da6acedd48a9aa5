"""What is personal or secret in a text."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence

from pipeline.privacy.findings import KINDS, Finding, Kind, folded, without_codes
from pipeline.privacy.numbers import cards, ibans, ids
from pipeline.privacy.phones import phones
from pipeline.privacy.secrets import secrets

# An address as people write it (the local part of RFC 5322 without quotes); letters of other scripts beside it are none of it.
# What stands before its first letter or digit, such as a quotation mark, a dash or dots, hides nothing.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z0-9](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_%+-])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_FILE = re.compile(r"@[0-9]x\.(?:png|jpe?g|gif|webp|svg)$|^git@")  # an image for sharp screens; where git logs in
_DIGITS = re.compile(r"[0-9](?:[^0-9\n]{0,5}[0-9]){5}")
_RANKS: tuple[Kind, ...] = ("secret", "email", "id", "iban", "card", "phone")


def find(text: str, kinds: Sequence[Kind] = KINDS) -> list[Finding]:
    """All findings of ``kinds`` in a text, in order, none overlapping another.

    Of findings that overlap, the one with the better proof stays, then the longer: a card's number is no telephone number.
    """
    found = sorted(_all(text, kinds), key=lambda f: (_RANKS.index(f.kind), f.start - f.end, f.start))
    kept: list[Finding] = []  # in order
    for each in found:
        place = bisect(kept, each.start, key=lambda f: f.start)
        if kept[place - 1 : place] and kept[place - 1].end > each.start:
            continue
        if not (kept[place : place + 1] and kept[place].start < each.end):
            kept.insert(place, each)
    return [each for each in kept if each.kind in kinds]


def _all(text: str, kinds: Sequence[Kind]) -> Iterator[Finding]:
    if "secret" in kinds:
        yield from _made("secret", text, secrets(text))
    plain = folded(text)
    if "email" in kinds and "@" in plain:
        spans = (match.span() for match in _EMAIL.finditer(plain) if not _FILE.search(match[0]))
        yield from _made("email", text, spans)
    if {"phone", "id", "card", "iban"} & set(kinds) and _DIGITS.search(plain):
        bare = without_codes(text)
        # Of the numbers all are looked for, whichever are asked for: one tells what another is not.
        yield from _made("id", text, ids(bare))
        yield from _made("iban", text, ibans(bare))
        yield from _made("card", text, cards(bare))
        yield from _made("phone", text, phones(bare))


def _made(kind: Kind, text: str, spans: Iterator[tuple[int, int]]) -> Iterator[Finding]:
    for start, end in spans:
        yield Finding(kind, start, end, text[start:end])
