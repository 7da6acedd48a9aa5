"""Numbers of persons, cards and accounts, each with the check digits that its issuer gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.privacy.findings import LEFT, RIGHT, cued

# A Chinese resident's number (GB 11643-1999): place, date of birth, serial number and check digit, which prove it behind
# letters too.
_RESIDENT = re.compile(r"(?<![0-9])(?<![0-9][-.])[0-9]{6}[ -]?[0-9]{8}[ -]?[0-9]{3}[0-9Xx]" + RIGHT)
# A US social security number.
_SOCIAL = re.compile(LEFT + r"(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}|[0-9]{9})" + RIGHT)
_SOCIAL_CUE = re.compile(r"(?i)\bSSN\b|social.security|社会安全|社保")
# A British national insurance number, with the letters that are given out.
_INSURANCE = re.compile(
    r"(?<![0-9A-Za-z_])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r" ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z_])"
)
# Of Hong Kong, whose check digit stands in parentheses, and of Taiwan; both begin with a letter that counts in the check.
_HONG_KONG = re.compile(r"(?<![0-9A-Za-z_])([A-Z]{1,2}[0-9]{6}) ?(?:\(([0-9A])\)|([0-9A])(?![0-9A-Za-z_]))")
_HONG_KONG_CUE = re.compile(r"(?i)\bHKID\b|identity card|身[份分][证證]")
_TAIWAN = re.compile(r"(?<![0-9A-Za-z_])[A-Z][1289][0-9]{8}" + RIGHT)
_TAIWAN_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # in the order of their numbers, from 10
# Passports of many countries look alike, and like many other numbers.
_PASSPORT = re.compile(r"(?<![0-9A-Za-z_])(?:[A-Z]{1,2}[0-9]{7,8}|[0-9]{9})" + RIGHT)
_PASSPORT_CUE = re.compile(r"(?i)passport|护照|護照")
_IBAN = re.compile(r"(?<![0-9A-Za-z_])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?")

_RUN = re.compile(LEFT + r"[0-9]+(?:[ -][0-9]+)*" + RIGHT)
_DIGITS = re.compile("[0-9]+")
# How cards are written, by the lengths of the groups of digits; and in one piece.
_GROUPED = {(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (6, 13)}
_LONGEST = 5  # groups of a card
# Issuers by the digits in front (ISO/IEC 7812), and how many digits there are: Visa, Mastercard, American Express, Diners,
# Discover, JCB, UnionPay and Chinese cards from before it, Maestro.
_ISSUERS = (
    (re.compile("4"), (16, 19)),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile("3[47]"), (15,)),
    (re.compile("30[0-5]|309|3[689]"), (14,)),
    (re.compile("6011|64[4-9]|65|352[89]|35[3-8]|62|81|9558"), (16, 17, 18, 19)),
    (re.compile("5018|5020|5038|5893|6304|6759|676[1-3]"), (16, 18, 19)),
)


def ids(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers of persons stand: Chinese, US and British ones, those of Hong Kong and Taiwan, and those of passports
    that are called so."""
    from stdnum.cn import ric
    from stdnum.us import ssn

    for match in _RESIDENT.finditer(text):
        if ric.is_valid(re.sub("[ -]", "", match[0])):
            yield match.span()
    for match in _SOCIAL.finditer(text):
        known = "-" in match[0] or cued(text, match.start(), _SOCIAL_CUE)
        if known and ssn.is_valid(match[0].replace(" ", "-")):
            yield match.span()
    for match in _INSURANCE.finditer(text):
        yield match.span()
    for match in _HONG_KONG.finditer(text):
        known = bool(match[2]) or cued(text, match.start(), _HONG_KONG_CUE)
        if known and _is_of_hong_kong(match[1], match[2] or match[3]):
            yield match.span()
    for match in _TAIWAN.finditer(text):
        if _is_of_taiwan(match[0]):
            yield match.span()
    for match in _PASSPORT.finditer(text):
        if cued(text, match.start(), _PASSPORT_CUE):
            yield match.span()


def _is_of_hong_kong(number: str, check: str) -> bool:
    """Whether the weighted sum divides by 11, a missing first letter counting 36 (A 10 … Z 35)."""
    values = [int(character, 36) for character in number + check]
    values = [36, *values] if len(values) == 8 else values
    total = sum(value * weight for value, weight in zip(values, range(9, 0, -1), strict=True))
    return total % 11 == 0


def _is_of_taiwan(number: str) -> bool:
    """Whether the weighted sum divides by 10, the letter being two digits (National Identification Card)."""
    digits = f"{10 + _TAIWAN_LETTERS.index(number[0])}{number[1:]}"
    total: int = sum(int(digit) * weight for digit, weight in zip(digits, (1, *range(9, 0, -1), 1), strict=True))
    return total % 10 == 0


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers of payment cards stand: of a known issuer, with the right check digit (Luhn 1960)."""
    for run in _RUN.finditer(text):
        groups = [match.span() for match in _DIGITS.finditer(text, *run.span())]
        for first in range(len(groups)):
            for last in range(min(first + _LONGEST, len(groups)), first, -1):
                if _is_card(text, groups[first:last]):
                    yield groups[first][0], groups[last - 1][1]


def _is_card(text: str, groups: list[tuple[int, int]]) -> bool:
    from stdnum import luhn

    if len(groups) > 1 and tuple(end - start for start, end in groups) not in _GROUPED:
        return False
    number = "".join(text[start:end] for start, end in groups)
    issued = any(issuer.match(number) and len(number) in lengths for issuer, lengths in _ISSUERS)
    return issued and luhn.is_valid(number)


def ibans(text: str) -> Iterator[tuple[int, int]]:
    """Where international bank account numbers stand (ISO 13616)."""
    from stdnum import iban

    for match in _IBAN.finditer(text):
        start, longest = match.span()
        for end in range(longest, start + 14, -1):  # a word in capitals behind it may look like its last group
            behind = text[end : end + 1]
            if not (behind.isascii() and behind.isalnum()) and iban.is_valid(text[start:end]):
                yield start, end
                break
