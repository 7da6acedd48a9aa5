"""Telephone numbers: any with a country's code; those of China, Britain and North America also as people write them there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.privacy.findings import LEFT, RIGHT, cued

# What goes before a Chinese number from abroad, in brackets or not; before a mobile number also the bare country's code.
_CHINA = r"(?:\((?:\+|00)86\)|(?:\+|00)86)[ -]?"
_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_SUBSCRIBER = r"[1-9][0-9]{2,3}[ -]?[0-9]{4}(?:(?:-|转|轉) ?[0-9]{1,6})?"
# Words that many write right before a number.
_GLUED = "|".join(rf"(?<={word})" for word in ("tel", "call", "phone", "mobile", "wechat", "wx", "vx"))
_CHINESE = re.compile(
    rf"(?:{LEFT}|(?i:{_GLUED}))"
    + "(?:"
    + rf"(?:{_CHINA}|86[ -]?)?1[3-9][0-9][ -]?[0-9]{{4}}[ -]?[0-9]{{4}}"
    + rf"|(?:{_CHINA})?(?:\(0{_AREA}\)[ -]?|0{_AREA}[ -]){_SUBSCRIBER}"
    + rf"|{_CHINA}\(?{_AREA}\)?[ -]?{_SUBSCRIBER}"
    + r"|[48]00-(?:[0-9]{3}-[0-9]{4}|[0-9]{4}-[0-9]{3}|[0-9]{7})"
    + ")"
    + RIGHT
)
_LANDLINE = re.compile(rf"{LEFT}0{_AREA}[1-9][0-9]{{6,7}}{RIGHT}")
_MONEY = re.compile(r"(?:[$€£¥￥]|RMB|USD) ?$")
_UNIT = re.compile(r" ?(?:元|円|块|%|[$€£¥￥])")

_WORTH_A_LOOK = re.compile(r"[0-9](?:[ \-./()]{0,3}[0-9]){8,}")  # nine digits: fewer are no number of these
_CUE = re.compile(
    r"(?i)\b(?:(?:tele)?phone|mobile|cell|tel|call|fax|ring|dial|text|whatsapp|sms|(?:my|his|her|our|your|their) number)\b"
    r"|电话|手机|热线|致电|拨打|传真|座机|联系方式|電話|手機|熱線|致電|撥打|傳真|聯絡"
)
_BEGIN, _BEHIND = re.compile(LEFT), re.compile(RIGHT)
_AMERICAN = ([3, 3, 4], [1, 3, 3, 4])  # digits of its groups


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand in a text in plain digits."""
    for match in _CHINESE.finditer(text):
        if not (_MONEY.search(text, max(0, match.start() - 5), match.start()) or _UNIT.match(text, match.end())):
            yield match.span()
    yield from (match.span() for match in _LANDLINE.finditer(text) if cued(text, match.start(), _CUE))
    if _WORTH_A_LOOK.search(text):
        for match in _valid(text, "US"):
            if _set_apart(text, match) and (_abroad(match) or _american(text, match)):
                yield match.start, match.end
        for match in _valid(text, "GB"):
            if _set_apart(text, match) and _british(text, match):
                yield match.start, match.end


def _valid(text: str, country: str) -> Iterator[Any]:
    """What the numbering plans of the world know; without a country's code, that of ``country``."""
    from phonenumbers import Leniency, PhoneNumberMatcher

    yield from PhoneNumberMatcher(text, country, leniency=Leniency.VALID)


def _set_apart(text: str, match: Any) -> bool:
    return bool(_BEGIN.match(text, match.start) and _BEHIND.match(text, match.end))


def _abroad(match: Any) -> bool:
    written: str = match.raw_string
    return written.lstrip("(").startswith(("+", "011"))


def _american(text: str, match: Any) -> bool:
    """Ten digits alone, or with blanks, may be anything: they need a word before them that says what they are."""
    written: str = match.raw_string
    sizes = [len(group) for group in re.findall("[0-9]+", written)]
    grouped = any(sizes[: len(usual)] == usual for usual in _AMERICAN) and any(mark in written for mark in "-.(")
    return grouped or ("(" in written and sizes[:2] == [3, 7]) or cued(text, match.start, _CUE)


def _british(text: str, match: Any) -> bool:
    """From its first 0 on; in one piece only a mobile number, others need a word before them."""
    written: str = match.raw_string.lstrip("(")
    groups = re.findall("[0-9]+", written)
    if written.startswith("00") or not written.startswith("0") or "." in written:
        return written.startswith("00")
    if len(groups) == 1:
        return written.startswith("07") or cued(text, match.start, _CUE)
    return len(groups[0]) > 2 and len(groups[-1]) > 2
