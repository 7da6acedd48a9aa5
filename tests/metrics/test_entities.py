"""Spans are those of conlleval, scores those of seqeval and nervaluate."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from nervaluate import Evaluator
from seqeval import metrics as seqeval
from seqeval.metrics.sequence_labeling import get_entities

from pipeline.metrics.entities import Span, counts, f1, per_kind, schemes, scores, spans, token_accuracy
from pipeline.metrics.intervals import bootstrap

KINDS = ["PER", "PERSON", "ARGM-TMP", "ARGM", "B-PER", "I-PER"]
HARD = {
    "adjacent entities of one kind": ("B-PER I-PER B-PER", [("PER", 0, 2), ("PER", 2, 3)]),
    "inside after outside": ("O I-PER I-PER O", [("PER", 1, 3)]),
    "inside at the beginning": ("I-PER O", [("PER", 0, 1)]),
    "inside of another kind": ("B-LOC I-PER I-PER", [("LOC", 0, 1), ("PER", 1, 3)]),
    "inside after inside of another kind": ("I-LOC I-PER", [("LOC", 0, 1), ("PER", 1, 2)]),
    "back to the first kind": ("B-PER I-LOC I-PER", [("PER", 0, 1), ("LOC", 1, 2), ("PER", 2, 3)]),
    "a kind that begins as another": ("B-PER I-PERSON I-PER", [("PER", 0, 1), ("PERSON", 1, 2), ("PER", 2, 3)]),
    "hyphens in a kind": ("B-ARGM-TMP I-ARGM-TMP I-ARGM-LOC", [("ARGM-TMP", 0, 2), ("ARGM-LOC", 2, 3)]),
    "a kind that looks like a tag": ("B-B-PER I-B-PER I-I-PER B-O", [("B-PER", 0, 2), ("I-PER", 2, 3), ("O", 3, 4)]),
    "an entity to the last word": ("O B-PER I-PER", [("PER", 1, 3)]),
    "BIOES": ("S-PER B-PER I-PER E-PER I-PER E-PER S-PER", [("PER", 0, 1), ("PER", 1, 4), ("PER", 4, 6), ("PER", 6, 7)]),
    "no entity": ("O O O", []),
    "an empty sentence": ("", []),
}  # fmt: skip


def drawn(seed: int, sentences: int, length: int = 12) -> list[list[str]]:
    """Random tags, valid or not."""
    dice = random.Random(seed)
    tags = ["O", "O", *(f"{prefix}-{kind}" for prefix in "BII" for kind in KINDS)]
    return [[dice.choice(tags) for _ in range(length)] for _ in range(sentences)]


def near(tags: list[list[str]], seed: int) -> list[list[str]]:
    """The same tags with every fifth drawn again."""
    dice, other = random.Random(seed), drawn(seed, len(tags))
    return [
        [b if dice.random() < 0.2 else a for a, b in zip(*rows, strict=True)] for rows in zip(tags, other, strict=True)
    ]


def read(tags: Sequence[Sequence[str]]) -> list[list[Span]]:
    return [spans(sentence) for sentence in tags]


@pytest.mark.parametrize("case", HARD)
def test_spans_are_those_of_conlleval(case: str) -> None:
    tags, expected = HARD[case]
    assert spans(tags.split()) == expected
    assert [(kind, first, last + 1) for kind, first, last in get_entities(tags.split())] == expected


def test_any_500_sequences_of_tags_read_as_seqeval_reads_them() -> None:
    for tags in drawn(1, 500):
        assert spans(tags) == [(kind, first, last + 1) for kind, first, last in get_entities(tags)]


def cases() -> list[tuple[list[list[str]], list[list[str]]]]:
    found = [(tags, near(tags, seed)) for seed in range(25) for tags in [drawn(100 + seed, 20)]]
    hard = [tags.split() for tags, _ in HARD.values() if tags and "E-" not in tags]
    outside = [["O"] * len(tags) for tags in hard]
    turned = [[tag.replace("B-", "I-", 1) for tag in tags] for tags in hard]
    return [*found, (hard, hard), (hard, outside), (outside, hard), (hard, turned), (outside, outside)]


@pytest.mark.parametrize("truth, answers", cases())
def test_scores_are_those_of_seqeval(truth: list[list[str]], answers: list[list[str]]) -> None:
    found = scores(read(truth), read(answers))
    assert found == {
        "precision": pytest.approx(seqeval.precision_score(truth, answers, zero_division=0)),
        "recall": pytest.approx(seqeval.recall_score(truth, answers, zero_division=0)),
        "f1": pytest.approx(seqeval.f1_score(truth, answers, zero_division=0)),
    }
    assert found["f1"] == f1(counts(read(truth), read(answers)))
    assert token_accuracy(truth, answers) == pytest.approx(seqeval.accuracy_score(truth, answers))


@pytest.mark.parametrize("truth, answers", cases()[:-1])
def test_scores_of_each_kind_are_those_of_seqeval(truth: list[list[str]], answers: list[list[str]]) -> None:
    report = seqeval.classification_report(truth, answers, output_dict=True, zero_division=0)
    expected = {
        kind: {"precision": row["precision"], "recall": row["recall"], "f1": row["f1-score"], "rows": row["support"]}
        for kind, row in report.items()
        if not kind.endswith(" avg")
    }
    found = per_kind(read(truth), read(answers))
    assert found.keys() == expected.keys()
    for kind, row in found.items():
        assert row == pytest.approx(expected[kind])


def expected_schemes(evaluator: Evaluator) -> dict[str, dict[str, float]]:
    overall = evaluator.evaluate()["overall"]
    return {
        ours: {name: getattr(overall[theirs], name) for name in ("precision", "recall", "f1")}
        for ours, theirs in (("strict", "strict"), ("exact", "exact"), ("partial", "partial"), ("type", "ent_type"))
    }


@pytest.mark.parametrize("truth, answers", cases())
def test_schemes_are_those_of_nervaluate(truth: list[list[str]], answers: list[list[str]]) -> None:
    kinds = sorted({kind for sentence in read(truth) + read(answers) for kind, *_ in sentence})
    expected = expected_schemes(Evaluator(truth, answers, tags=kinds, loader="list"))
    found = schemes(read(truth), read(answers))
    assert found.keys() == expected.keys()
    for scheme, row in found.items():
        assert row == pytest.approx(expected[scheme]), scheme


def test_schemes_of_spans_that_overlap_each_other_are_those_of_nervaluate() -> None:
    dice = random.Random(5)

    def some() -> list[Span]:
        begins = [dice.randrange(300) for _ in range(dice.randrange(9))]
        return [(dice.choice(KINDS), begin, begin + 1 + int(dice.expovariate(1 / 60))) for begin in begins]

    for _ in range(100):
        truth, answers = [some() for _ in range(5)], [some() for _ in range(5)]
        for i, sentence in enumerate(truth):  # so that some are right
            answers[i] = [*answers[i], *dice.sample(sentence, len(sentence) // 2)]
        theirs = [
            [[{"label": kind, "start": a, "end": b - 1} for kind, a, b in sentence] for sentence in side]
            for side in (truth, answers)
        ]
        expected = expected_schemes(Evaluator(*theirs, tags=KINDS, loader="dict"))
        for scheme, row in schemes(truth, answers).items():
            assert row == pytest.approx(expected[scheme]), scheme


def test_what_each_scheme_forgives() -> None:
    truth = [[("PER", 0, 2), ("LOC", 4, 6), ("ORG", 8, 10), ("ORG", 20, 22)]]
    answers = [[("PER", 0, 2), ("ORG", 4, 6), ("ORG", 8, 9), ("PER", 30, 31)]]
    found = {scheme: row["f1"] for scheme, row in schemes(truth, answers).items()}
    assert found == {"strict": 0.25, "exact": 0.5, "partial": 0.625, "type": 0.5}


def test_no_sentence_and_no_span_score_nothing() -> None:
    nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    for empty in ([], [[]]):
        assert scores(empty, empty) == nothing
        assert schemes(empty, empty) == dict.fromkeys(("strict", "exact", "partial", "type"), nothing)
        assert per_kind(empty, empty) == {}
        assert token_accuracy(empty, empty) == 0.0
        assert counts(empty, empty).shape == (len(empty), 3)


def test_one_span_said_twice_is_one() -> None:
    truth = [[("PER", 0, 2)], [("PER", 0, 2), ("LOC", 3, 4)]]
    answers = [[("PER", 0, 2), ("PER", 0, 2)], [("LOC", 0, 2)]]
    assert counts(truth, answers).tolist() == [[1, 1, 1], [0, 1, 2]]
    assert scores(truth, answers) == {"precision": 0.5, "recall": pytest.approx(1 / 3), "f1": 0.4}


def test_counts_are_enough_for_an_interval() -> None:
    truth = drawn(3, 200)
    table = counts(read(truth), read(near(truth, 4)))
    low, high = bootstrap(f1, table)
    assert low < f1(table) < high


def test_sides_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        counts([[]], [])
    with pytest.raises(ValueError, match="zip"):
        token_accuracy([["O"]], [["O", "O"]])
