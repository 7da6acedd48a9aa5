"""Entities: spans of words or of characters, each of a kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

Span = tuple[str, int, int]
"""kind, first place, one past the last"""


def spans(tags: Sequence[str]) -> list[Span]:
    """The spans that conlleval, the script of the CoNLL-2000 shared task (Tjong Kim Sang and Buchholz 2000), reads
    from BIO tags: ``I-X`` after anything but ``B-X`` or ``I-X`` begins a span as ``B-X`` does.

    A kind is what follows the first hyphen, and may hold more of them. ``E-X`` and ``S-X``, of BIOES, end a span.
    """
    found: list[Span] = []
    inside, begin = None, 0  # the kind of the span that is open, if one is, and where it begins
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        begins = prefix != "O" and (prefix in ("B", "S") or kind != inside)
        if inside is not None and (begins or prefix == "O"):
            found.append((inside, begin, place))
            inside = None
        if begins:
            inside, begin = kind, place
        if inside is not None and prefix in ("E", "S"):
            found.append((inside, begin, place + 1))
            inside = None
    return found


def counts(truth: Sequence[Sequence[Span]], answers: Sequence[Sequence[Span]]) -> np.ndarray:
    """Sentences × (right, answered, true): how many different spans. Sums of rows are all that F1 needs, so an
    interval needs no spans.
    """
    rows = [(set(true), set(answered)) for true, answered in zip(truth, answers, strict=True)]
    found = [(len(true & answered), len(answered), len(true)) for true, answered in rows]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def f1(rows: np.ndarray) -> float:
    """F1 over all sentences, which are rows of ``counts``: a statistic for ``bootstrap``. 0 where there is no span."""
    right, answered, true = rows.sum(0).tolist()
    return 2 * right / (answered + true) if answered + true else 0.0


def scores(truth: Sequence[Sequence[Span]], answers: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Precision, recall and F1 over all spans (micro), as conlleval has them; right is what has kind and bounds right."""
    return _shares(*counts(truth, answers).sum(0).tolist())


def per_kind(truth: Sequence[Sequence[Span]], answers: Sequence[Sequence[Span]]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and the number of true spans, ``rows``, of each kind that was true or answered."""
    right, answered, true = Counter[str](), Counter[str](), Counter[str]()
    for wanted, given in zip(map(set, truth), map(set, answers), strict=True):
        right.update(kind for kind, *_ in wanted & given)
        answered.update(kind for kind, *_ in given)
        true.update(kind for kind, *_ in wanted)
    return {
        kind: {**_shares(right[kind], answered[kind], true[kind]), "rows": float(true[kind])}
        for kind in sorted(true | answered)
    }


def _shares(right: float, answered: int, true: int) -> dict[str, float]:
    return {
        "precision": right / answered if answered else 0.0,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (answered + true) if answered + true else 0.0,
    }


def token_accuracy(truth_tags: Sequence[Sequence[str]], answer_tags: Sequence[Sequence[str]]) -> float:
    """Share of words whose tag is right, of all sentences; 0 where there is no word."""
    pairs = [pair for rows in zip(truth_tags, answer_tags, strict=True) for pair in zip(*rows, strict=True)]
    return sum(true == answered for true, answered in pairs) / len(pairs) if pairs else 0.0


def schemes(truth: Sequence[Sequence[Span]], answers: Sequence[Sequence[Span]]) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 by the four schemes of SemEval-2013 task 9 (Segura-Bedmar et al. 2013): strict asks
    for kind and bounds, exact for bounds, type for kind and an overlap, partial for an overlap, which earns half
    where the bounds are not right.

    As nervaluate 1.2 computes them: answers are taken in their order, each uses up one true span, and an overlap of
    less than 1% of the true span is none. So the order counts where spans of one side overlap each other.
    """
    found = {}
    for name, (is_right, consolation) in _SCHEMES.items():
        pairs = zip(truth, answers, strict=True)
        credit = sum(_credit(true, answered, is_right, consolation) for true, answered in pairs)
        found[name] = _shares(credit, sum(map(len, answers)), sum(map(len, truth)))
    return found


def _credit(
    truth: Sequence[Span], answers: Sequence[Span], is_right: Callable[[Span, Span], bool], consolation: float
) -> float:
    free, credit = list(truth), 0.0
    for answer in answers:
        touched = [true for true in free if _overlap(answer, true)]
        right = [true for true in touched if is_right(answer, true)]
        if right:
            credit += 1.0
            free.remove(min(right, key=lambda true: abs(true[1] - answer[1]) + abs(true[2] - answer[2])))
        elif touched:
            credit += consolation
            free.remove(touched[0])
    return credit


def _overlap(answer: Span, true: Span) -> bool:
    common = min(answer[2], true[2]) - max(answer[1], true[1])
    return common > 0 and 100 * common >= true[2] - true[1]


def _all(answer: Span, true: Span) -> bool:
    return answer == true


def _bounds(answer: Span, true: Span) -> bool:
    return answer[1:] == true[1:]


def _kind(answer: Span, true: Span) -> bool:
    return answer[0] == true[0]


# What makes an answer right that overlaps a true span, and what it earns where it is not.
_SCHEMES = {"strict": (_all, 0.0), "exact": (_bounds, 0.0), "partial": (_bounds, 0.5), "type": (_kind, 0.0)}
