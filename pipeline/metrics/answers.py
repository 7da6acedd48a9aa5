"""Answers to questions that are a piece of the text, or none.

Rules are those of the data sets' own scripts, so that numbers can be compared with published ones:

- English: ``evaluate-v2.0.py`` of SQuAD (Rajpurkar et al. 2018), https://rajpurkar.github.io/SQuAD-explorer/
- Chinese: ``cmrc2018_evaluate.py`` (Cui et al. 2019), https://github.com/ymcui/cmrc2018
- every other language: SQuAD's without articles, with the punctuation of all scripts, as the script of MLQA has it
  (Lewis et al. 2020), https://github.com/facebookresearch/MLQA
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from pipeline.metrics.languages import primary

# CMRC 2018's list. It has "……" too, but is held against single characters, so that "…" stays. So do ASCII's commas,
# full stops, question and exclamation marks.
_CHINESE_PUNCTUATION = dict.fromkeys(map(ord, "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"))
_CHINESE = "\u4e00-\u9fa5"
_LETTER = rf"[^\W{_CHINESE}]"
# What stands between Chinese characters is NLTK's to take apart, says the script. These are its rules for words and
# numbers, which may have full stops and commas inside, for contractions ("do" + "n't"), dots, and other signs.
_CHINESE_UNIT = re.compile(
    rf"[{_CHINESE}]|n't(?!{_LETTER})|{_LETTER}+?(?=n't(?!{_LETTER}))|{_LETTER}+(?:(?:\.|,(?=\d)){_LETTER}+)*"
    rf"|'(?:s|m|d|ll|re|ve)(?!{_LETTER})|[.…]{{2,}}|\S"
)

# Thai, Lao and Tibetan, Myanmar, Khmer, Tai, Balinese and Javanese, Hiragana and Katakana, Han.
_SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\uaa60-\uaa7f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff"
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)


def exact(answer: str, truths: Sequence[str], language: str) -> float:
    """1 where ``answer`` is one of ``truths`` after normalisation, else 0. No truths, or only empty ones, means that
    there is no answer, which is what "" says.

    ``language`` is a code such as "en" or "zh-TW"; of a longer one only the first part counts.
    """
    return float(any(_form(answer, language) == _form(truth, language) for truth in _valid(truths, language)))


def overlap(answer: str, truths: Sequence[str], language: str) -> float:
    """F1 of the units that ``answer`` shares with the nearest of ``truths``: words in any order; for Chinese, the
    longest run of characters and words. Units of other scripts without spaces are characters.

    No truths, or only empty ones, means that there is no answer; then 1 where ``answer`` is empty too.
    """
    shared = _shared_run if primary(language) == "zh" else _shared_bag
    found, best = _units(answer, language), 0.0
    for truth in _valid(truths, language):
        true = _units(truth, language)
        if not found or not true:
            best = max(best, float(found == true))
        else:
            best = max(best, 2 * shared(found, true) / (len(found) + len(true)))
    return best


def _valid(truths: Sequence[str], language: str) -> list[str]:
    return [truth for truth in truths if _units(truth, language)] or [""]


def _form(text: str, language: str) -> str | list[str]:
    """What two equal answers share. White space counts within a Chinese one, for its script leaves it in place."""
    return _bare_chinese(text) if primary(language) == "zh" else _units(text, language)


def _units(text: str, language: str) -> list[str]:
    match primary(language):
        case "en":
            return _english(text)
        case "zh":
            return _CHINESE_UNIT.findall(_bare_chinese(text))
        case _:
            return _any_script(text)


def _english(text: str) -> list[str]:
    bare = text.lower().translate(dict.fromkeys(map(ord, string.punctuation)))
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _bare_chinese(text: str) -> str:
    return text.lower().strip().translate(_CHINESE_PUNCTUATION)


def _any_script(text: str) -> list[str]:
    """Words, and characters of scripts without spaces, each with the marks that belong to it."""
    units: list[str] = []
    joins = False  # the next letter to the last unit
    for char in text.lower():
        kind = unicodedata.category(char)
        if kind[0] == "P" or kind == "Cf" or char in string.punctuation:
            continue  # so that "well-known" is one word, as in SQuAD's rules; Cf are signs that nobody sees
        if kind[0] == "M" and units:
            units[-1] += char
        elif char.isspace():
            joins = False
        elif _SPACELESS.match(char):
            units.append(char)
            joins = False
        elif joins:
            units[-1] += char
        else:
            units.append(char)
            joins = True
    return units


def _shared_run(found: list[str], true: list[str]) -> int:
    return SequenceMatcher(None, found, true, autojunk=False).find_longest_match().size


def _shared_bag(found: list[str], true: list[str]) -> int:
    return (Counter(found) & Counter(true)).total()
