"""The language of texts, as far as measures ask for it: its code, its script, and where sentences end."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.corpora.words import UNSPACED

# Codes of three letters for languages that some measure has rules of its own for.
_SHORT = {
    "zho": "zh", "chi": "zh", "cmn": "zh", "yue": "zh", "jpn": "ja", "kor": "ko", "eng": "en", "tha": "th",
    "lao": "lo", "khm": "km", "mya": "my", "bur": "my",
}  # fmt: skip

# Scripts that tell the language, all without spaces between words: Chinese characters, kana, Thai, Lao, Khmer, Burmese.
_SCRIPTS = {
    "zh": re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
    "ja": re.compile("[\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "lo": re.compile("[\u0e80-\u0eff]"),
    "km": re.compile("[\u1780-\u17ff]"),
    "my": re.compile("[\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f]"),
}
_SPACED_WORD = re.compile(rf"[^\W{UNSPACED.pattern[1:-1]}]+")


def primary(language: str) -> str:
    """The first part of a code, in two letters where measures know it so: "zh" for "zh-TW", "ZH_hans" and "zho"."""
    first = re.split("[-_]", language.lower())[0]
    return _SHORT.get(first, first)


def named(language: str, texts: Iterable[str]) -> str:
    """``primary`` of a code, or, where that is "", the language that the script of ``texts`` tells: zh, ja, th, lo, km
    or my where most of the text is in one of these scripts, a character counting as much as a word of another; else "".

    Text is Japanese where more than a tenth of its Chinese characters and kana are kana.
    """
    return primary(language) or _guess("\n".join(texts))


def _guess(text: str) -> str:
    counts = {language: len(script.findall(text)) for language, script in _SCRIPTS.items()}
    east = counts["zh"] + counts["ja"]
    counts["zh" if 10 * counts["ja"] <= east else "ja"] = east
    likeliest = max(counts, key=lambda language: counts[language])
    return likeliest if counts[likeliest] > len(_SPACED_WORD.findall(text)) else ""


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a text, each with the white space behind it, by the rules of sentencex for ``language``, a
    code, or those that it has for all where that is "". A line break ends one too. Lines without a sign to be seen are
    left out.
    """
    from sentencex import segment

    code = primary(language)
    found = [piece for line in text.splitlines(keepends=True) for piece in segment(code, line)]
    return [piece for piece in found if piece.strip()]
