"""What is found in a text, and how a text is read for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["email", "phone", "id", "card", "iban", "secret"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What no number begins behind or ends before: letters and digits, for it would be part of a code or a hash; and a point or a
# dash with a digit beyond it, for it would be part of a decimal, a version or a longer number.
LEFT = r"(?<![0-9A-Za-z_])(?<![0-9][-.])"
RIGHT = r"(?![0-9A-Za-z_])(?![-.][0-9])"

_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63"
_FOLDED: dict[int, str] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # the full-width forms of ASCII
    **dict.fromkeys(map(ord, "\u3000\u00a0\u2007\u202f"), " "),
    **dict.fromkeys(map(ord, _HYPHENS), "-"),
}
# Addresses of pages up to what is asked of them, UUIDs, and decimals: full of digits that are nobody's number.
_CODES = re.compile(
    r"https?://[^\s?#\u0080-\uffff]+"
    r"|(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"
    r"|(?<![0-9])[0-9]*\.[0-9]{7,}"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """``text``, which stands from ``start`` to before ``end`` (characters), is of a ``kind``."""

    kind: Kind
    start: int
    end: int
    text: str


def folded(text: str) -> str:
    """The text with plain letters, digits, dashes and blanks for full-width and typographic ones, a character for each."""
    return text if text.isascii() else text.translate(_FOLDED)


def without_codes(text: str) -> str:
    """The text :func:`folded`, with addresses of pages, UUIDs and decimals struck out."""
    # Struck out as it was: a wide comma ends an address, a plain one does not.
    return folded(_CODES.sub(lambda match: "\x00" * len(match[0]), text))


def cued(text: str, start: int, cue: re.Pattern[str]) -> bool:
    """Whether one of the words of ``cue`` stands shortly before ``start``, in the same field."""
    before: str = text[max(0, start - 24) : start].rpartition("\x1f")[2]
    return cue.search(before) is not None
