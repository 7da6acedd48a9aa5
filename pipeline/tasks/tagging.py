"""A label for each word of a text: entities, parts of speech.

Logits are tokens × tags.  A word is answered at its first token.  Kinds of spans are tags in BIO; what is answered is
read as conlleval reads it, so every sequence of tags means some spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipeline.corpora.columns import column
from pipeline.corpora.tagging import Tagged
from pipeline.features import IGNORED, Features
from pipeline.fields import neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers
from pipeline.tasks.classification import probabilities
from pipeline.tasks.windows import NONE, Window, owned, shortened, windows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

OVERLAP = 4  # windows share a quarter of their tokens
Invalid = Literal["refuse", "repair", "skip"]
MARK = 1  # the token type of a predicate


@dataclass(frozen=True)
class Tagging:
    """Learn ``tags`` of ``words``, or ``spans`` of a ``text``."""

    words: str = neutral("words")
    """the column of the words, a list"""
    tags: str = neutral("tags")
    """the column of their tags"""
    text: str = neutral("text")
    """the column of the text, where spans are given by characters"""
    spans: str = neutral("spans")
    """the column of its spans: start, end, label"""
    invalid: Invalid = neutral("refuse")
    """what to do with tags that do not follow from each other and the like: refuse the data, repair it or skip the row"""
    head: ClassVar[str] = "tagging"
    monitors: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "f1")
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>", "word": "list<int32>"}
    segments: ClassVar[bool] = False
    called: ClassVar[tuple[str, ...]] = ("ner_tags", "labels")  # names of the tags as good as ``tags``
    plain: ClassVar[bool] = False  # whether tags that mark spans are refused

    def __post_init__(self) -> None:
        require(self.words != self.tags, f"words and tags are both the column {self.words!r}")
        require(self.text != self.spans, f"text and spans are both the column {self.text!r}")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        return encode(tokenizers.text, examples, max_length)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits, features, labels)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


@dataclass(frozen=True)
class PartsOfSpeech(Tagging):
    """Learn ``tags`` of ``words``, where each word has its own."""

    called: ClassVar[tuple[str, ...]] = ("pos_tags", "upos", "labels")
    plain: ClassVar[bool] = True


def encode(
    tokenizer: Any,
    examples: pa.RecordBatch,
    max_length: int,
    predicates: Sequence[int] | None = None,
    *,
    types: bool = True,
) -> Encoded:
    """Windows, with ``word``: which word each token stands for, or -1; and ``label``: its tag, or -100.

    Args:
        predicates: which word of each example is asked about.
        types: whether token types can say so.
    """
    import numpy as np

    texts = examples["text"].to_pylist()
    begins, ends = ([np.array(row, np.int64) for row in examples[name].to_pylist()] for name in ("begins", "ends"))
    inputs: list[Any] = texts
    if predicates is not None:
        marked = [t[b[p] : e[p]] for t, b, e, p in zip(texts, begins, ends, predicates, strict=True)]
        if not types:
            rows = list(map(_between_asterisks, texts, begins, ends, predicates))
            texts, begins, ends = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
        # A long one must leave room for its sentence, of which windows share as much.
        inputs = list(zip(texts, shortened(tokenizer, marked, max_length // OVERLAP), strict=True))
    tokenizer.enable_truncation(
        max_length, stride=max_length // OVERLAP, strategy="only_first" if predicates else "longest_first"
    )
    found = windows(tokenizer.encode_batch(inputs))
    places = _places(found, begins, ends)
    columns: dict[str, Any] = {"word": places}
    if "label" in examples.schema.names:
        tags = [np.array(row, np.int32) for row in examples["label"].to_pylist()]
        columns["label"] = [_labels(row, tags[window.text]) for row, window in zip(places, found, strict=True)]
    if predicates is not None:
        bounds = [(b[p], e[p]) for b, e, p in zip(begins, ends, predicates, strict=True)]
        columns["token_type_ids"] = [_marked(window.encoding, *bounds[window.text]) for window in found]
    return Encoded([w.encoding for w in found], np.array([w.text for w in found]), columns)


def monitor(logits: np.ndarray, features: Features, labels: list[str]) -> dict[str, float]:
    """Cross-entropy in nats, a mean over words, the share of words with the right tag, and F1 of spans; without spans, the
    mean F1 of the tags."""
    import numpy as np

    from pipeline.metrics import entities

    rows, answers, targets = answered(logits, features)
    chances = probabilities(logits[rows])[np.arange(len(targets)), targets]
    found = {"loss": float(-np.log(np.maximum(chances, 1e-30)).mean()), "accuracy": float((answers == targets).mean())}
    if not spanned(labels):
        size = len(labels)
        either = np.bincount(targets, minlength=size) + np.bincount(answers, minlength=size)
        hits = np.bincount(targets[answers == targets], minlength=size)
        return {**found, "f1": float((2 * hits[either > 0] / either[either > 0]).mean())}
    examples = np.repeat(features.examples, features.lengths)[rows]
    edges = np.flatnonzero(np.diff(examples)) + 1
    spans = [
        [entities.spans([labels[tag] for tag in sentence]) for sentence in np.split(tags, edges)]
        for tags in (targets, answers)
    ]
    return {**found, "f1": entities.scores(*spans)["f1"]}


def answered(logits: np.ndarray, features: Features) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each word that has a tag, in the order of examples and words: its token, the tag that is answered, its own."""
    import numpy as np

    labels, words = features.lists("label").flat(), features.lists("word").flat()
    rows = np.flatnonzero(labels != IGNORED)
    examples = np.repeat(features.examples, features.lengths)[rows]
    rows = rows[np.lexsort((words[rows], examples))]
    return rows, logits[rows].argmax(-1), labels[rows]


def spanned(labels: Sequence[str]) -> bool:
    """Whether tags mark spans: all are O, B-kind or I-kind."""
    return all(label == "O" or label[:2] in ("B-", "I-") for label in labels)


def _places(found: Sequence[Window], begins: Sequence[np.ndarray], ends: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The word that each token of each window stands for, or -1."""
    by_text: list[list[Any]] = [[] for _ in begins]
    for window in found:
        by_text[window.text].append(window.encoding)
    return [places for n, mine in enumerate(by_text) for places in owned(mine, begins[n], ends[n])]


def _labels(places: np.ndarray, tags: np.ndarray) -> np.ndarray:
    import numpy as np

    if not len(tags):
        return np.full(len(places), IGNORED, np.int32)
    found: np.ndarray = np.where(places == NONE, IGNORED, tags[np.maximum(places, 0)])
    return found


def _between_asterisks(
    text: str, begins: np.ndarray, ends: np.ndarray, predicate: int
) -> tuple[str, np.ndarray, np.ndarray]:
    """A text with its predicate marked, and where its words then are."""
    begin, end = begins[predicate], ends[predicate]
    shift = 2 * (begins >= begin) + 2 * (begins >= end)
    return f"{text[:begin]}* {text[begin:end]} *{text[end:]}", begins + shift, ends + shift


def _marked(encoding: Any, begin: int, end: int) -> list[int]:
    """The types that the tokenizer gives, so that anybody's gives them, and 1 for the predicate in the text."""
    return [
        MARK if kind == MARK or (part == 0 and offsets[0] < end and offsets[1] > begin) else 0
        for kind, part, offsets in zip(encoding.type_ids, encoding.sequence_ids, encoding.offsets, strict=True)
    ]


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """For each example ``{"entities": [{"text", "label", "start", "end", "score"}]}``, in characters of its text; without
    spans, ``{"tags": [{"text", "label", "start", "end", "score"}]}``, one a word."""
    corpus = evidence.corpus.select(["text", "begins", "ends"]).to_pylist()
    for row, (tags, chances) in zip(corpus, _tags(evidence), strict=True):
        found = [(tag, n, n + 1) for n, tag in enumerate(tags)]
        if spanned(evidence.labels):
            from pipeline.metrics import entities

            found = entities.spans(tags)
        told = [_told(row, chances, *span) for span in found]
        yield {"entities" if spanned(evidence.labels) else "tags": told}


def _told(row: Mapping[str, Any], chances: Sequence[float], label: str, first: int, last: int) -> dict[str, Any]:
    begin, end = row["begins"][first], row["ends"][last - 1]
    score = sum(chances[first:last]) / (last - first)
    return {"text": row["text"][begin:end], "label": label, "start": begin, "end": end, "score": round(score, 6)}


def _tags(evidence: Evidence) -> Iterator[tuple[list[str], list[float]]]:
    """The tag of each word of each example, and its probability.  A word without a token of its own shares that of the word
    right before it, as the digits of a number do, and goes on with its span; elsewhere it has the tag O, or the first."""
    import numpy as np

    words = evidence.features.lists("word").flat()
    examples = np.repeat(evidence.features.examples, evidence.features.lengths)
    rows = np.flatnonzero(words != NONE)
    rows = rows[np.lexsort((words[rows], examples[rows]))]
    edges = np.searchsorted(examples[rows], np.arange(len(evidence.corpus) + 1))
    shares = probabilities(evidence.logits[rows])
    tags, chances, places = shares.argmax(-1), shares.max(-1), words[rows]
    other = evidence.labels.index("O") if "O" in evidence.labels else 0
    behind = [_behind(name, evidence.labels, other) for name in evidence.labels]
    bounds = zip(evidence.corpus["begins"].to_pylist(), evidence.corpus["ends"].to_pylist(), strict=True)
    for start, stop, (begins, ends) in zip(edges[:-1], edges[1:], bounds, strict=True):
        found, sure = np.full(len(begins), other), np.zeros(len(begins))
        found[places[start:stop]], sure[places[start:stop]] = tags[start:stop], chances[start:stop]
        for word in np.setdiff1d(np.arange(1, len(begins)), places[start:stop]):
            if begins[word] == ends[word - 1]:
                found[word], sure[word] = behind[found[word - 1]], sure[word - 1]
        yield [evidence.labels[tag] for tag in found], sure.tolist()


def _behind(label: str, labels: list[str], other: int) -> int:
    """The tag of a word within the token of a word with this one."""
    same = f"I-{label[2:]}" if label.startswith("B-") and spanned(labels) else label
    return labels.index(same) if same in labels else other


def judge(evidence: Evidence) -> Scored:
    """Precision, recall and F1 of whole spans, as conlleval has them, and the share of words with the right tag; without
    spans, that share first, and F1 as a mean over tags.  ``baseline_f1``, or ``baseline_accuracy``, is that of giving each
    word the tag it most often has in the training examples.

    Details: per kind, nervaluate's four ways of counting, and 95% bootstrap intervals.
    """
    truth, answers = sequences(evidence)
    common = _commonest(evidence) if evidence.train is not None else None
    return judge_spans(truth, answers, common) if spanned(evidence.labels) else _judge_tags(truth, answers, common)


def form(task: Tagging) -> Tagged:
    """Rows with words and tags, or a text and spans."""
    words = column("words", task.words, "tokens", "token", "form")
    tags = column("tags", task.tags, *task.called, target=True)
    spans = column("spans", task.spans, "entities", "ents", "label", "labels", target=True, sparse=True)
    return Tagged(
        ((words, tags), (column("text", task.text), spans)), repair=task.invalid == "repair", plain=task.plain
    )


JUDGING = Judging(decode, judge)
KIND = Kind(form, JUDGING)


def judge_spans(truth: list[list[str]], answers: list[list[str]], common: list[list[str]] | None) -> Scored:
    """See :func:`judge`; ``common`` are the tags of the baseline."""
    from pipeline.metrics import entities
    from pipeline.metrics.intervals import bootstrap

    true, found = ([entities.spans(tags) for tags in each] for each in (truth, answers))
    scores = entities.scores(true, found)
    scores = {name: scores[name] for name in ("f1", "precision", "recall")}
    scores["accuracy"] = entities.token_accuracy(truth, answers)
    if common is not None:
        scores["baseline_f1"] = entities.scores(true, [entities.spans(tags) for tags in common])["f1"]
    details = {
        "labels": entities.per_kind(true, found),
        "schemes": entities.schemes(true, found),
        "intervals": {"f1": list(bootstrap(entities.f1, entities.counts(true, found)))},
    }
    return scores, details


def _judge_tags(truth: list[list[str]], answers: list[list[str]], common: list[list[str]] | None) -> Scored:
    import numpy as np

    from pipeline.metrics import classification, entities
    from pipeline.metrics.intervals import bootstrap

    names = sorted({tag for row in (*truth, *answers) for tag in row})
    numbers = {name: number for number, name in enumerate(names)}
    true, found = ([numbers[tag] for row in each for tag in row] for each in (truth, answers))
    all_of_them = classification.scores(found, true)
    scores = {name: all_of_them[name] for name in ("accuracy", "f1", "precision", "recall")}
    if common is not None:
        scores["baseline_accuracy"] = entities.token_accuracy(truth, common)
    right = [(sum(map(str.__eq__, one, other)), len(one)) for one, other in zip(truth, answers, strict=True)]
    details = classification.details(found, true, names)
    details["intervals"] = {
        "accuracy": list(bootstrap(lambda rows: rows[:, 0].sum() / rows[:, 1].sum(), np.array(right)))
    }
    return scores, details


def sequences(evidence: Evidence) -> tuple[list[list[str]], list[list[str]]]:
    """The tags of each example, and those that are answered."""
    truth = [[evidence.labels[tag] for tag in row] for row in evidence.corpus["label"].to_pylist()]
    return truth, [tags for tags, _ in _tags(evidence)]


def _commonest(evidence: Evidence) -> list[list[str]]:
    """For each word of each example, the tag that it most often has in the training examples; unknown words have the
    commonest of words that are there once."""
    from collections import Counter, defaultdict

    assert evidence.train is not None
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for batch in evidence.train.select(["text", "begins", "ends", "label"]).to_batches(max_chunksize=2_000):
        for row in batch.to_pylist():
            for word, tag in zip(_words(row), row["label"], strict=True):
                seen[word][tag] += 1
    rare = Counter(next(iter(tags)) for tags in seen.values() if tags.total() == 1)
    other = rare.most_common(1)[0][0] if rare else 0
    best = {word: tags.most_common(1)[0][0] for word, tags in seen.items()}
    rows = evidence.corpus.select(["text", "begins", "ends"]).to_pylist()
    return [[evidence.labels[best.get(word, other)] for word in _words(row)] for row in rows]


def _words(row: Mapping[str, Any]) -> list[str]:
    return [row["text"][begin:end] for begin, end in zip(row["begins"], row["ends"], strict=True)]
