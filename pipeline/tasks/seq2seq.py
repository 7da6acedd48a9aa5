"""A text for a text: a summary, a translation.

What is measured of a row is as :data:`pipeline.tasks.MEASURED` has it; answers are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipeline.corpora.columns import column
from pipeline.corpora.writing import Written
from pipeline.features import Features
from pipeline.fields import neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers
from pipeline.tasks.language import MONITORS, monitor, rounded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SOURCES = ("document", "article", "source", "dialogue", "src")
SUMMARIES = ("summary", "highlights", "abstract", "headline")
TRANSLATIONS = ("translation", "tgt")


@dataclass(frozen=True)
class Summarization:
    """Learn to write ``target``, a short text, for a long ``text``."""

    text: str = neutral("text")
    """the column of what is read"""
    target: str = neutral("target")
    """the column of what is written: a text, or a list of texts of which the first is learned and all are compared with"""
    prefix: str = ""
    """in front of every text that is read, such as "summarize: " for T5"""
    max_target_length: int = 64
    """tokens of what is written; longer targets are cut"""
    target_vocabulary: int = 8_000
    """tokens of the decoder, where the base model has none and gets one made of its encoder"""
    language: str = ""
    """of what is written, as an ISO 639 code: how scores tell words and sentences apart; empty: by its script"""
    invalid: Literal["refuse", "skip"] = neutral("refuse")
    """what to do with rows that cannot be learned from"""
    head: ClassVar[str] = "seq2seq"
    use: ClassVar[str] = "summarization"
    monitors: ClassVar[tuple[str, ...]] = MONITORS
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self)

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return encode(tokenizers, examples, max_length, self.prefix, self.max_target_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


@dataclass(frozen=True)
class Translation:
    """Learn to write ``target``, what ``text`` says in another language."""

    text: str = neutral("text")
    """the column of what is read"""
    target: str = neutral("target")
    """the column of what is written: a text, or a list of texts of which the first is learned and all are compared with"""
    source_language: str = ""
    """what a base model that knows several calls the language that is read, such as en_XX or eng_Latn"""
    target_language: str = ""
    """what it calls the language that is written"""
    prefix: str = ""
    """in front of every text that is read, such as "translate English to German: " for T5"""
    max_target_length: int = 64
    """tokens of what is written; longer targets are cut"""
    target_vocabulary: int = 8_000
    """tokens of the decoder, where the base model has none and gets one made of its encoder"""
    language: str = ""
    """of what is written, as an ISO 639 code: how scores tell words apart; empty: by its script"""
    invalid: Literal["refuse", "skip"] = neutral("refuse")
    """what to do with rows that cannot be learned from"""
    head: ClassVar[str] = "seq2seq"
    use: ClassVar[str] = "translation"
    monitors: ClassVar[tuple[str, ...]] = MONITORS
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self)

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return encode(tokenizers, examples, max_length, self.prefix, self.max_target_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


Writing = Summarization | Translation


def check(task: Writing) -> None:
    """Refuse settings that make no sense together."""
    require(task.text != task.target, f"text and target are both the column {task.text!r}")
    require(task.max_target_length >= 4, "max_target_length is a number of tokens, at least 4")
    require(
        task.target_vocabulary >= 300, "target_vocabulary is a number of tokens, at least 300: bytes and the commonest"
    )


def encode(
    tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int, prefix: str, max_target_length: int
) -> Encoded:
    """Each text as one row, cut at ``max_length``; ``label``: the tokens of its first target, the one that ends it last.

    What is cut counts either way.
    """
    import numpy as np

    tokenizers.text.enable_truncation(max_length)
    rows = tokenizers.text.encode_batch_fast([prefix + text for text in examples["text"].to_pylist()])
    cut = [bool(row.overflowing) for row in rows]
    columns: dict[str, Any] = {}
    if "label" in examples.schema.names:
        tokenizers.target.enable_truncation(max_target_length)
        targets = tokenizers.target.encode_batch_fast([texts[0] for texts in examples["label"].to_pylist()])
        columns["label"] = [target.ids for target in targets]
        cut = [both or bool(target.overflowing) for both, target in zip(cut, targets, strict=True)]
    return Encoded(rows, np.arange(len(rows)), columns, sum(cut))


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"written": text}`` for each example."""
    return ({"written": text} for text in evidence.written)


def judge_summaries(evidence: Evidence) -> Scored:
    """ROUGE (Lin 2004), all references considered; the baseline is the first sentence of the text, or its first three,
    whichever is the better summary.

    Details: intervals, and what each of these two gets.
    """
    from pipeline.metrics import baselines, rouge
    from pipeline.metrics.intervals import bootstrap

    spoken, references = evidence.task.language, evidence.corpus["label"].to_pylist()
    found = rouge.scores(evidence.written, references, spoken)
    texts = evidence.corpus["text"].to_pylist()
    leads = {
        name: _means(rouge.scores([baselines.lead(text, count, spoken) for text in texts], references, spoken))
        for name, count in (("the first sentence", 1), ("the first three sentences", 3))
    }
    best = max(leads, key=lambda name: leads[name]["rougeL"])
    scores = _means(found) | {f"baseline_{name}": value for name, value in leads[best].items()}
    intervals = {name: bootstrap(lambda rows: float(rows.mean()), values) for name, values in found.items()}
    details = {"intervals": intervals, "baseline": best, "leads": leads, "lengths": _lengths(evidence)}
    scores = {"rougeL": scores["rougeL"], **scores, **monitor(evidence.logits)}
    return rounded(scores), rounded(details)


def judge_translations(evidence: Evidence) -> Scored:
    """BLEU and chrF as sacreBLEU has them (Post 2018; Popović 2015); the baseline is the text itself, not translated.

    Details: intervals, the signatures of the scores, and what they are made of.
    """
    from pipeline.metrics import translation

    spoken, references = evidence.task.language, evidence.corpus["label"].to_pylist()
    scores, details = translation.scores(evidence.written, references, spoken)
    copied, _ = translation.scores(evidence.corpus["text"].to_pylist(), references, spoken)
    scores |= {f"baseline_{name}": value for name, value in copied.items()}
    details = {**details, "baseline": "the text itself", "lengths": _lengths(evidence)}
    return rounded({**scores, **monitor(evidence.logits)}), rounded(details)


def _means(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in found.items()}


def _lengths(evidence: Evidence) -> dict[str, float]:
    """Mean numbers of characters."""
    wanted = [texts[0] for texts in evidence.corpus["label"].to_pylist()]
    sides = {"written": evidence.written, "wanted": wanted}
    return {name: sum(map(len, texts)) / max(1, len(texts)) for name, texts in sides.items()}


def form(task: Writing) -> Written:
    """Rows with a text and what is to be written for it."""
    names = SUMMARIES if isinstance(task, Summarization) else TRANSLATIONS
    target = column("target", task.target, *names, target=True)
    return Written(((column("text", task.text, *SOURCES), target),))


def learned(task: Writing) -> Writing:
    """Without what counts only where texts are judged."""
    return replace(task, language="")


SUMMARIZATION = Kind(form, Judging(decode, judge_summaries), learned)
TRANSLATION = Kind(form, Judging(decode, judge_translations), learned)
