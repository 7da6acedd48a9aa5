"""Semantic roles: which parts of a sentence are who did, what was done, when, where and how, for a marked predicate.

As :mod:`pipeline.tasks.tagging`, of whose tags the arguments of the predicate are the spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.corpora.columns import column
from pipeline.corpora.tagging import Framed, Tagged
from pipeline.features import Features
from pipeline.fields import neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers, tagging

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MODALS = {"can", "could", "may", "might", "must", "shall", "should", "will", "would", "'ll", "'d", "ca", "wo"}
NEGATIONS = {"not", "n't", "never", "no"}
BOUNDARY = set('.,;:!?()"-') | {"and", "but", "or", "because", "if", "that", "which", "who", "when", "while", "--"}
BETWEEN = {"is", "are", "was", "were", "be", "been", "being", "am", "has", "have", "had", "do", "does", "did", "to"}


@dataclass(frozen=True)
class RoleLabelling:
    """Learn the arguments of predicates: ``frames`` of ``words``, or ``tags`` beside the number of the ``predicate``."""

    words: str = neutral("words")
    """the column of the words, a list"""
    frames: str = neutral("frames")
    """the column of the frames: predicate, and args with start, end and label"""
    predicate: str = neutral("predicate")
    """the column of the predicate's number among the words, where there are tags instead of frames"""
    tags: str = neutral("tags")
    """the column of the tags"""
    text: str = neutral("text")
    """the column of a text with its predicate between asterisks"""
    invalid: tagging.Invalid = neutral("refuse")
    """what to do with tags that do not follow from each other and the like: refuse the data, repair it or skip the row"""
    head: ClassVar[str] = "tagging"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "f1")
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>", "word": "list<int32>"}
    segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        columns = {self.words, self.frames, self.predicate, self.tags, self.text}
        require(len(columns) == 5, "words, frames, predicate, tags and text must be five columns")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """The predicate's tokens are of the second segment, or stand between asterisks for models without token types;
        the predicate itself follows as the second text (after Shi & Lin 2019)."""
        predicates = examples["predicate"].to_pylist()
        return tagging.encode(tokenizers.text, examples, max_length, predicates, types=tokenizers.types)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return tagging.monitor(logits, features, labels)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """For each example its ``predicate`` as ``{"text", "start", "end"}`` and its ``arguments`` as
    ``[{"text", "label", "start", "end", "score"}]``, in characters of its text."""
    rows = evidence.corpus.select(["text", "begins", "ends", "predicate"]).to_pylist()
    for row, found in zip(rows, tagging.decode(evidence), strict=True):
        begin, end = row["begins"][row["predicate"]], row["ends"][row["predicate"]]
        marked = {"text": row["text"][begin:end], "start": begin, "end": end}
        yield {"predicate": marked, "arguments": found["entities"]}


def judge(evidence: Evidence) -> Scored:
    """Scores of whole arguments as :func:`pipeline.tasks.tagging.judge` has them; ``baseline_f1`` is that of a rule for
    English: modals and negations by their words, the words before the predicate within its clause as ARG0, those after
    it as ARG1."""
    rows = evidence.corpus.select(["text", "begins", "ends", "predicate"]).to_pylist()
    truth, answers = tagging.sequences(evidence)
    return tagging.judge_spans(truth, answers, [ruled(row) for row in rows])


def form(task: RoleLabelling) -> Framed:
    """Rows with words and frames, or a predicate and tags; or a text with its predicate marked."""
    words = column("words", task.words, "tokens")
    tags = column("tags", task.tags, "srl_tags", "labels", target=True)
    tagged = (words, column("predicate", task.predicate, "predicate_index", "verb"), tags)
    layouts = ((words, column("frames", task.frames)), tagged, (column("text", task.text),))
    return Framed(layouts, Tagged(layouts, repair=task.invalid == "repair"))


JUDGING = Judging(decode, judge)
KIND = Kind(form, JUDGING)


def ruled(row: Mapping[str, Any]) -> list[str]:
    """The tags that the rule gives the words of an example."""
    words = [row["text"][begin:end].lower() for begin, end in zip(row["begins"], row["ends"], strict=True)]
    tags, predicate = ["O"] * len(words), row["predicate"]
    first = last = predicate
    while first > 0 and words[first - 1] not in BOUNDARY:
        first -= 1
    while last + 1 < len(words) and words[last + 1] not in BOUNDARY:
        last += 1
    known = {n: "ARGM-MOD" for n in range(first, predicate) if words[n] in MODALS}
    known |= {n: "ARGM-NEG" for n in range(first, predicate) if words[n] in NEGATIONS}
    before = [n for n in range(first, predicate) if n not in known and words[n] not in BETWEEN]
    for label, span in (("ARG0", before[: _run(before)]), ("ARG1", list(range(predicate + 1, last + 1)))):
        for place in span:
            tags[place] = f"{'B' if place == span[0] else 'I'}-{label}"
    for place, label in known.items():
        tags[place] = f"B-{label}"
    return tags


def _run(places: list[int]) -> int:
    """How many of the places follow each other without a gap, from the first."""
    count = 0
    while count < len(places) and places[count] == places[0] + count:
        count += 1
    return count
