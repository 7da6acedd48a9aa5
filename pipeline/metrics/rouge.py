"""ROUGE, how much of a reference an answer has (Lin 2004, https://aclanthology.org/W04-1013).

English is measured as rouge-score 0.1.2 measures it with its stemmer: words are runs of a-z and 0-9. By that rule a text
in another script has no words, and all answers 0. So everything else is measured on words of any script, without a
stemmer; where scripts put no space between words, each character is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from nltk.stem.porter import PorterStemmer
from rouge_score import tokenize
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from pipeline.corpora import words
from pipeline.metrics.languages import primary, sentences

MEASURES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

_UNSEEN = dict.fromkeys(map(ord, words.INNER + words.JOINER))
_ENGLISH_SIGN = re.compile("[a-zA-Z0-9]")


def scores(answers: Sequence[str], references: Sequence[Sequence[str]], language: str) -> dict[str, np.ndarray]:
    """F1 × 100 of ``MEASURES``, a number a row (float64); of several references the best by each measure.

    ``rougeLsum`` compares sentence by sentence: line breaks end one, and what ends one in the language.

    A row of English whose references are mostly in other letters, or have none, is measured as other languages are.
    There two texts of a word each, which have no pair of words to share, get ``rouge2`` by that word.

    Args:
        answers: a text a row.
        references: texts that would be right, any number a row; none at all, or only empty ones, scores 0.
        language: a code such as "en" or "zh-TW"; "" does for all but English, which it does not stem.
    """
    language = primary(language)
    english, any_script = _English(), _AnyScript()
    found = np.zeros((len(answers), len(MEASURES)), dtype=np.float64)
    for row, (answer, right) in enumerate(zip(answers, references, strict=True)):
        rules = english if language == "en" and _is_english(right) else any_script
        said = _lines(answer, language)
        each = [_f1(said, _lines(text, language), rules) for text in right]
        found[row] = np.max(each, axis=0, initial=0.0)
    return dict(zip(MEASURES, 100 * found.T, strict=True))


def _is_english(texts: Iterable[str]) -> bool:
    """Whether most letters and digits are those that the English rules see. Answers have no say in it, so that those
    of two models are measured alike."""
    text = "".join(texts)
    return 2 * len(_ENGLISH_SIGN.findall(text)) > sum(map(str.isalnum, text))


def _lines(text: str, language: str) -> str:
    """The text with a sentence a line, which is how rouge-score is told of sentences. Of those without a letter or digit
    nothing is counted, unless there are no others."""
    every = [sentence.strip() for sentence in sentences(text, language)]
    return "\n".join([sentence for sentence in every if any(map(str.isalnum, sentence))] or every)


def _f1(answer: str, reference: str, rules: _English | _AnyScript) -> list[float]:
    measures = MEASURES if "\n" in answer + reference else MEASURES[:-1]
    found = RougeScorer(measures, tokenizer=rules).score(reference, answer)
    f1 = {name: float(score.fmeasure) for name, score in found.items()}
    f1.setdefault("rougeLsum", f1["rougeL"])  # the same for one sentence each, and slow
    if isinstance(rules, _AnyScript) and len(rules.tokenize(answer)) == len(rules.tokenize(reference)) == 1:
        f1["rouge2"] = f1["rouge1"]
    return [f1[name] for name in MEASURES]


class _English(Tokenizer):
    """rouge-score's own words with Porter's stemmer, but each word is stemmed once."""

    def __init__(self) -> None:
        self.stem = cache(PorterStemmer().stem)

    def tokenize(self, text: str) -> list[str]:
        found: list[str] = tokenize.tokenize(text, self)
        return found


class _AnyScript(Tokenizer):
    """Words in lower case, each letter with its marks, and characters of scripts without spaces; half-width and
    full-width forms are one (NFKC). Punctuation and signs such as emoji count where a text has nothing else."""

    def tokenize(self, text: str) -> list[str]:
        text = unicodedata.normalize("NFKC", text).lower()
        every = [text[begin:end].translate(_UNSEEN) for begin, end in words.split(text)]
        return [unit for unit in every if any(map(str.isalnum, unit))] or every
