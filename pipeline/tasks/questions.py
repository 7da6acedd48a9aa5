"""Extractive question answering: which words of a passage answer a question, or that none do.

Logits are tokens × 2: how well the answer starts, and ends, at a token.  Long passages are read in windows; the first
token of a window stands for "no answer here" (Devlin et al. 2019; for SQuAD 2, Rajpurkar et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipeline.corpora.columns import column
from pipeline.corpora.questions import Answered
from pipeline.features import Features
from pipeline.fields import neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers
from pipeline.tasks.candidates import NULL, Candidates, answered, best_threshold, chosen
from pipeline.tasks.windows import NONE, shortened, windows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

CONTEXT = 1  # which part of a pair the passage is


@dataclass(frozen=True)
class QuestionAnswering:
    """Learn where the ``answers`` to a ``question`` stand in its ``context``."""

    question: str = neutral("question")
    """the column of the question"""
    context: str = neutral("context")
    """the column of the passage"""
    answers: str = neutral("answers")
    """the column of the answers: text and answer_start of each"""
    invalid: Literal["refuse", "skip"] = neutral("refuse")
    """what to do with an answer that does not stand in its passage: refuse the data, or skip the row"""
    stride: int = 64
    """tokens that windows of a long passage share"""
    answer_length: int = 30
    """tokens of an answer, at most"""
    candidates: int = 3
    """answers told for each question, the best first"""
    language: str = ""
    """of the texts, as an ISO 639 code: how answers are compared; en as SQuAD does, zh as CMRC does; empty: as the script
    of the passages says, else en"""
    head: ClassVar[str] = "questions"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "exact", "f1")
    columns: ClassVar[Mapping[str, str]] = {
        "label": "list<int32>",
        "answered": "int8",
        "begin": "list<int32>",
        "end": "list<int32>",
    }
    segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = {self.question, self.context, self.answers}
        require(len(columns) == 3, "question, context and answers must be three columns")
        require(self.stride >= 1, "stride is a number of tokens, at least 1")
        require(self.answer_length >= 1, "answer_length is a number of tokens, at least 1")
        require(self.candidates >= 1, "candidates must be at least 1")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """Windows, with ``begin`` and ``end``: where in the passage each token is (characters), -1 outside of it; and
        ``label``: the tokens at which the first answer starts and ends, 0 and 0 if it is not in the window."""
        import numpy as np

        tokenizer, half = tokenizers.text, max_length // 2
        room = max_length - half - tokenizer.num_special_tokens_to_add(True)
        require(
            self.stride < room,
            f"task.stride={self.stride}: must be below {room}, what max_length={max_length} leaves beside half of it for "
            "the question; set it lower, or max_length higher",
        )
        questions = shortened(tokenizer, examples["question"].to_pylist(), half)
        tokenizer.enable_truncation(max_length, stride=self.stride, strategy="only_second")
        contexts = examples["context"].to_pylist()
        found = windows(tokenizer.encode_batch(list(zip(questions, contexts, strict=True))))
        offsets = [_offsets(window.encoding, contexts[window.text]) for window in found]
        columns: dict[str, Any] = {"begin": [each[:, 0] for each in offsets], "end": [each[:, 1] for each in offsets]}
        if "label" in examples.schema.names:
            spans = [
                _first(*row) for row in zip(examples["label"].to_pylist(), examples["answers"].to_pylist(), strict=True)
            ]
            seen = _seen(spans, offsets, [window.text for window in found])
            columns["answered"] = [int(bool(examples["label"][window.text].as_py())) for window in found]
            columns["label"] = [_tokens(each, *seen[w.text]) for each, w in zip(offsets, found, strict=True)]
        return Encoded([w.encoding for w in found], np.array([w.text for w in found]), columns)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        """Cross-entropy in nats, a mean of starts and ends over windows; and over questions the share of answers whose
        characters are those of the first true one, and the mean F1 of characters.  With a ``decision`` there is no answer
        where that says so."""
        import numpy as np

        spans, best = _spans(features), answered(logits, features, self.answer_length, 1)
        threshold = _threshold(best, features) if decision is None else decision["null_threshold"]
        answers = [chosen(found, threshold) for found in best]
        shared = [max(0, min(a[1], t[1]) - max(a[0], t[0])) for a, t in zip(answers, spans, strict=True)]
        sizes = [(a[1] - a[0]) + (t[1] - t[0]) for a, t in zip(answers, spans, strict=True)]
        f1 = [2 * both / size if size else 1.0 for both, size in zip(shared, sizes, strict=True)]
        return {
            "loss": _loss(logits, features),
            "exact": float(np.mean([a == t for a, t in zip(answers, spans, strict=True)])),
            "f1": float(np.mean(f1)),
        }

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        """``null_threshold``: how much better "no answer" has to be than the best answer to be given, for the most
        questions right; null where every question has an answer."""
        return {"null_threshold": _threshold(answered(logits, features, self.answer_length, 1), features)}


def _threshold(best: list[Candidates], features: Features) -> float | None:
    """None where every question has an answer."""
    return None if features.numbers("answered").all() else best_threshold(best, _spans(features))


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """For each question its ``answer``, ``start`` and ``end`` in characters of the passage (an empty answer and nulls if
    there is none), ``score`` (from 0 to 1, of it among the answers told), and the other ``candidates``."""
    import numpy as np

    decision = evidence.decision
    best = answered(evidence.logits, evidence.features, evidence.task.answer_length, evidence.task.candidates)
    for found, context in zip(best, evidence.corpus["context"].to_pylist(), strict=True):
        begin, end = chosen(found, decision["null_threshold"])
        may_be_none = decision["null_threshold"] is not None
        totals = np.array(
            [score for score, *_ in found.spans] + ([found.null] if may_be_none or not found.spans else [])
        )
        shares = np.exp(totals - totals.max()) / np.exp(totals - totals.max()).sum()
        told = [
            {"answer": context[first:last], "start": first, "end": last, "score": round(float(share), 6)}
            for (_, first, last), share in zip(found.spans, shares, strict=False)
        ]
        if (begin, end) == (0, 0):
            nothing = {"answer": "", "start": None, "end": None, "score": round(float(shares[-1]), 6)}
            yield {**nothing, "candidates": told}
        else:
            yield {**told[0], "candidates": told[1:]}


def judge(evidence: Evidence) -> Scored:
    """Exact match and F1, by SQuAD's rules for English and CMRC's for Chinese; where some questions have no answer, also of
    those that have one and of those that have none.  ``baseline_f1`` is that of the sentence that shares most words with
    the question.

    Details: 95% bootstrap intervals.
    """
    import numpy as np

    from pipeline.metrics import answers as metrics
    from pipeline.metrics.intervals import bootstrap
    from pipeline.metrics.languages import named

    rows = evidence.corpus.to_pylist()
    language = named(evidence.task.language, {row["context"] for row in rows}) or "en"
    told = [answer["answer"] for answer in decode(evidence)]
    exact, f1, base = (
        np.array([metric(text, row["answers"], language) for text, row in zip(texts, rows, strict=True)])
        for metric, texts in (
            (metrics.exact, told), (metrics.overlap, told), (metrics.overlap, [_nearest_sentence(row) for row in rows])
        )
    )  # fmt: skip
    scores = {"f1": f1.mean(), "exact_match": exact.mean()}
    answerable = np.array([bool(row["answers"]) for row in rows])
    if not answerable.all():
        scores |= {
            "f1_answerable": f1[answerable].mean() if answerable.any() else 0.0,
            "exact_unanswerable": exact[~answerable].mean(),
        }
    scores["baseline_f1"] = base.mean()
    details = {"intervals": {n: list(bootstrap(np.mean, values)) for n, values in (("f1", f1), ("exact_match", exact))}}
    return {name: round(float(value), 6) for name, value in scores.items()}, details


def form(task: QuestionAnswering) -> Answered:
    """Rows with a question, a passage and its answers in it."""
    context = column("context", task.context, "passage", "paragraph", "document")
    answers = column("answers", task.answers, "answer", target=True)
    return Answered(((column("question", task.question, "query"), context, answers),))


JUDGING = Judging(decode, judge)


def learned(task: QuestionAnswering) -> QuestionAnswering:
    """Without how many answers are told, and how they are compared with the true ones."""
    return replace(task, candidates=1, language="")


KIND = Kind(form, JUDGING, learned)


def _nearest_sentence(row: Mapping[str, Any]) -> str:
    """The sentence of the passage that has the largest share of the question's words."""
    import re

    from pipeline.corpora import words

    asked = words.units(row["question"])
    sentences = [found for found in re.split(r"(?<=[.!?。！？])\s*", row["context"]) if found] or [row["context"]]
    return max(sentences, key=lambda sentence: len(words.units(sentence) & asked))


def _offsets(encoding: Any, context: str) -> np.ndarray:
    """Where in the passage each token begins and ends, -1 for tokens outside (int32, tokens × 2).

    The white space that many byte-level tokenizers put in front of a token is no part of an answer; a token of nothing else
    is outside."""
    import numpy as np

    found = np.array(encoding.offsets, np.int32).reshape(-1, 2)
    found[[part != CONTEXT for part in encoding.sequence_ids]] = NONE
    for place in [n for n, begin in enumerate(found[:, 0].tolist()) if context[begin : begin + 1].isspace()]:
        begin, end = found[place].tolist()
        seen = context[begin:end].lstrip()
        found[place] = (end - len(seen), end) if seen else NONE
    return found


def _first(starts: list[int], answers: list[str]) -> tuple[int, int]:
    """Where the first answer is in its passage; (0, 0) if there is none."""
    return (starts[0], starts[0] + len(answers[0])) if starts else (0, 0)


def _seen(spans: list[tuple[int, int]], offsets: list[np.ndarray], texts: list[int]) -> list[tuple[int, int]]:
    """Answers from their first token to their last: a tokenizer drops characters that are not seen, such as joiners."""
    found: dict[int, tuple[int, int]] = {}
    for each, text in zip(offsets, texts, strict=True):
        inside = each[_inside(each, *spans[text])]
        if len(inside):
            begin, end = found.get(text, (inside[0, 0], inside[-1, 1]))
            found[text] = min(begin, inside[0, 0]), max(end, inside[-1, 1])
    return [found.get(text, span) for text, span in enumerate(spans)]


def _inside(offsets: np.ndarray, begin: int, end: int) -> np.ndarray:
    """The tokens of a window that have a character of the answer."""
    import numpy as np

    return np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > begin) & (offsets[:, 0] != NONE))


def _tokens(offsets: np.ndarray, begin: int, end: int) -> list[int]:
    """The first and the last token of an answer, if the window holds it whole."""
    inside = _inside(offsets, begin, end)
    whole = len(inside) and offsets[inside[0], 0] <= begin and offsets[inside[-1], 1] >= end
    return [int(inside[0]), int(inside[-1])] if whole else [NULL, NULL]


def _spans(features: Features) -> list[tuple[int, int]]:
    """Where the first answer to each question is, as far as tokens can tell; (0, 0) for none."""
    labels, begins, ends = (features.lists(name) for name in ("label", "begin", "end"))
    found: list[tuple[int, int]] = []
    for row, example in enumerate(features.examples.tolist()):
        first, last = labels.row(row).tolist()
        span = (0, 0) if last == NULL else (int(begins.row(row)[first]), int(ends.row(row)[last]))
        if example == len(found):
            found.append(span)
        elif found[-1] == (0, 0):
            found[-1] = span
    return found


def _loss(logits: np.ndarray, features: Features) -> float:
    import numpy as np

    labels, total = features.lists("label").flat().reshape(-1, 2), 0.0
    for row, target in enumerate(labels.tolist()):
        scores = logits[features.starts[row] : features.starts[row + 1]].astype(np.float64)
        for side in (0, 1):
            raised = scores[:, side] - scores[:, side].max()
            total += float(np.log(np.exp(raised).sum()) - raised[target[side]])
    return total / (2 * len(labels))
