"""Schemes of tags: told apart, checked, and turned into BIO."""

from __future__ import annotations

import random

import pytest

from pipeline.corpora.schemes import repaired, scheme, to_bio
from pipeline.errors import UserError

WHERE = "data/train.conll, line 7"
WAY_OUT = "correct it, or set task.invalid=repair"
SPELLED = {
    "BIO": "B-PER B-PER I-PER I-PER B-LOC I-LOC O B-ARGM-TMP O B-LOC I-LOC B-LOC",
    "IOB1": "I-PER B-PER I-PER I-PER I-LOC I-LOC O I-ARGM-TMP O I-LOC I-LOC B-LOC",
    "BIOES": "S-PER B-PER I-PER E-PER B-LOC E-LOC O S-ARGM-TMP O B-LOC E-LOC S-LOC",
    "BILOU": "U-PER B-PER I-PER L-PER B-LOC L-LOC O U-ARGM-TMP O B-LOC L-LOC U-LOC",
    "BMES": "S-PER B-PER M-PER E-PER B-LOC E-LOC O S-ARGM-TMP O B-LOC E-LOC S-LOC",
    "suffixes": "PER-B PER-B PER-I PER-I LOC-B LOC-I O ARGM-TMP-B O LOC-B LOC-I LOC-B",
}
WRITTEN = {name: tags.split() for name, tags in SPELLED.items()}
BIO = WRITTEN["BIO"]
NAMES = {"BIO": "BIO", "IOB1": "IOB1", "BIOES": "BIOES", "BILOU": "BIOES", "BMES": "BIOES", "suffixes": "BIO"}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_scheme_is_recognized_and_says_the_same_spans(name: str) -> None:
    tags = WRITTEN[name]
    assert scheme(iter([["O"], tags])) == NAMES[name]
    assert to_bio(tags, NAMES[name], WHERE) == BIO
    assert repaired(tags, NAMES[name]) == BIO


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ([], "BIO"),
        ([[]], "BIO"),
        ([["O", "O"]], "BIO"),
        ([["DET", "NOUN"], ["O"]], "plain"),
        ([["ARG0", "R-ARG0", "C-ARG1", "O"]], "plain"),
        ([["S-ADJ", "NOUN", "E-ADJ"]], "plain"),
        ([["NOUN-M", "DET-S"]], "plain"),
        ([["B", "I", "O"]], "plain"),
        ([["I-PER", "I-PER"], ["O"]], "IOB1"),
        ([["B-PER"], ["I-PER"]], "BIO"),
        ([["B-PER", "I-PER"], ["O", "B-LOC"]], "BIO"),
        ([["B-PER", "B-PER"]], "BIO"),
        ([["I-PER", "B-PER"], ["I-LOC"]], "IOB1"),
        ([["B-PER", "I-PER"], ["O", "I-LOC"]], "BIO"),
        ([["S-PER"], ["O"]], "BIOES"),
        ([["B-PER", "I-PER", "PER", "O"]], "BIO"),
    ],
)
def test_a_corpus_is_named_by_what_all_its_tags_have_in_common(sentences: list[list[str]], expected: str) -> None:
    assert scheme(sentences) == expected


def drawn(seed: int) -> tuple[list[str], list[str]]:
    """The same random spans in BIO and in IOB1."""
    draw = random.Random(seed)
    bio: list[str] = []
    iob: list[str] = []
    while len(bio) < 12:
        kind, length = draw.choice(["O", "X", "Y"]), draw.randint(1, 3)
        if kind == "O":
            bio, iob = [*bio, "O"], [*iob, "O"]
            continue
        first = "B" if iob and iob[-1][2:] == kind else "I"
        bio += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        iob += [f"{first}-{kind}", *[f"I-{kind}"] * (length - 1)]
    return bio, iob


def test_valid_bio_is_never_taken_for_iob1() -> None:
    for seed in range(300):
        bio, iob = drawn(seed)
        assert scheme([bio]) == "BIO"
        assert to_bio(bio, "BIO", WHERE) == bio
        assert to_bio(iob, "IOB1", WHERE) == bio
        if any(tag != "O" for tag in iob):
            assert scheme([iob]) == "IOB1"


def test_plain_tags_stay_as_they_are() -> None:
    assert to_bio(["DET", "O", "B-side"], "plain", WHERE) == ["DET", "O", "B-side"]
    assert repaired(["DET", "O", "B-side"], "plain") == ["DET", "O", "B-side"]


@pytest.mark.parametrize(
    ("tags", "name", "message"),
    [
        ("O I-PER", "BIO", "word 2 has the tag I-PER after O, which is not BIO"),
        ("I-PER O", "BIO", "word 1 has the tag I-PER at the start, which is not BIO"),
        ("B-LOC I-PER", "BIO", "word 2 has the tag I-PER after B-LOC, which is not BIO"),
        ("O E-PER", "BIO", "word 2 has the tag 'E-PER', which is not BIO"),
        ("O PER", "IOB1", "word 2 has the tag 'PER', which is not IOB1"),
        ("O I-PER E-PER", "BIOES", "word 2 has the tag I-PER after O, which is not BIOES"),
        ("E-PER", "BIOES", "word 1 has the tag E-PER at the start, which is not BIOES"),
        ("B-PER E-LOC", "BIOES", "word 2 has the tag E-LOC after B-PER, which is not BIOES"),
        ("B-PER O", "BIOES", "word 2 has the tag O after B-PER, which is not BIOES"),
        ("B-PER S-PER E-PER", "BIOES", "word 2 has the tag S-PER after B-PER, which is not BIOES"),
        ("B-PER I-PER", "BIOES", "word 2 has the tag I-PER at the end, which is not BIOES"),
        ("B-PER L-PER L-PER", "BIOES", "word 3 has the tag L-PER after L-PER, which is not BIOES"),
    ],
)
def test_a_tag_that_cannot_stand_there_is_named_with_its_neighbour(tags: str, name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        to_bio(tags.split(), name, WHERE)
    assert str(caught.value) == f"{WHERE}: {message}; {WAY_OUT}"


@pytest.mark.parametrize(
    ("tags", "name", "expected"),
    [
        ("O I-PER I-PER", "BIO", "O B-PER I-PER"),
        ("B-LOC I-PER I-LOC", "BIO", "B-LOC B-PER B-LOC"),
        ("B-PER I-PER O B-PER S-LOC I-LOC", "BIOES", "B-PER I-PER O B-PER B-LOC B-LOC"),
        ("E-PER E-PER I-PER E-PER O", "BIOES", "B-PER B-PER B-PER I-PER O"),
        ("O PER PER B-LOC", "BIO", "O B-PER I-PER B-LOC"),
        ("I-PER B-PER", "IOB1", "B-PER B-PER"),
    ],
)
def test_invalid_tags_are_mended_as_conlleval_reads_them(tags: str, name: str, expected: str) -> None:
    mended = repaired(tags.split(), name)
    assert mended == expected.split()
    assert to_bio(mended, "BIO", WHERE) == mended


def test_an_empty_tag_is_mended_to_outside() -> None:
    assert repaired(["B-PER", "", "I-PER"], "BIO") == ["B-PER", "O", "B-PER"]
