"""Public tagged texts and questions as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from pipeline.corpora.schemes import scheme, to_bio
from pipeline.corpora.squad import answers, flattened
from pipeline.corpora.words import join, split, tagged
from tests.conftest import DATA, read_json

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real datasets (../shared/data) are not here")


def rows(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, record) of every split."""
    for file in sorted((DATA / name).glob("*.jsonl")):
        with file.open(encoding="utf-8") as stream:
            for line, text in enumerate(stream, 1):
                yield f"{file.name}, line {line}", json.loads(text)


def sentences(name: str) -> list[tuple[str, list[str], list[str]]]:
    """(where, words, tags)."""
    names = read_json(DATA / name / "labels.json")
    return [(where, row["tokens"], [names[tag] for tag in row["ner_tags"]]) for where, row in rows(name)]


@pytest.mark.parametrize("name", ["conll2003_en", "cluener_zh"])
def test_real_tags_are_valid_bio(name: str) -> None:
    found = sentences(name)
    assert scheme(tags for _, _, tags in found) == "BIO"
    assert all(to_bio(tags, "BIO", where) == tags for where, _, tags in found)


def as_iob1(tags: list[str]) -> list[str]:
    """As CoNLL-2003 was published: B- only directly behind a span of the same kind."""
    turns = pairwise(["O", *tags])
    return [f"I{tag[1:]}" if tag[0] == "B" and tag[2:] != before[2:] else tag for before, tag in turns]


@pytest.mark.parametrize("name", ["conll2003_en", "cluener_zh"])
def test_real_tags_come_back_out_of_iob1(name: str) -> None:
    found = [(where, tags, as_iob1(tags)) for where, _, tags in sentences(name)]
    assert scheme(written for _, _, written in found) == "IOB1"
    assert all(to_bio(written, "IOB1", where) == tags for where, tags, written in found)


@pytest.mark.parametrize("name", ["conll2003_en", "cluener_zh", "propbank_ewt_srl"])
def test_real_words_are_found_again_in_the_text_that_they_make(name: str) -> None:
    for where, row in rows(name):
        text, bounds = join(row["tokens"], where)
        assert [text[start:end] for start, end in bounds] == row["tokens"]
        assert text == text.strip() and "  " not in text


def test_real_entities_come_back_out_of_marked_characters() -> None:
    for where, words, tags in sentences("cluener_zh"):
        text, bounds = join(words, where)
        entities: list[dict[str, Any]] = []
        for (start, end), tag in zip(bounds, tags, strict=True):
            if tag[0] == "B":
                entities.append({"start": start, "end": end, "label": tag[2:]})
            elif tag[0] == "I":
                entities[-1]["end"] = end
        found, told = tagged(text, entities, where)
        begins = {start: tag for (start, _), tag in zip(bounds, tags, strict=True) if tag[0] == "B"}
        assert {start: tag for (start, _), tag in zip(found, told, strict=True) if tag[0] == "B"} == begins


def test_real_chinese_splits_into_characters() -> None:
    for where, words, _ in sentences("cluener_zh"):
        text, bounds = join(words, where)
        chinese = {bound for bound, word in zip(bounds, words, strict=True) if "\u4e00" <= word <= "\u9fff"}
        assert chinese <= set(split(text))


@pytest.mark.parametrize("name", ["squad_v1.1_dev_split", "cmrc2018_zh"])
def test_real_answers_stand_where_they_are_said_to(name: str) -> None:
    for where, row in rows(name):
        context, given = row["context"], row["answers"]
        found = answers(given, context, where)
        assert found and all(context[start : start + len(text)] == text for text, start in found)
        told = given if isinstance(given, dict) else {key: [each[key] for each in given] for key in given[0]}
        ahead = [len(text) - len(text.lstrip()) for text in told["text"]]
        assert [start for _, start in found] == [sum(pair) for pair in zip(told["answer_start"], ahead, strict=True)]
        assert [text for text, _ in answers(told["text"], context, where)] == [text for text, _ in found]


def test_real_questions_survive_being_nested() -> None:
    flat = [row for _, row in rows("squad_v1.1_dev_split")]
    nested = [
        {"title": row["title"], "paragraphs": [{"context": row["context"], "qas": [
            {"id": row["id"], "question": row["question"], "answers": [
                {"text": text, "answer_start": start} for text, start in zip(*row["answers"].values(), strict=True)]}]}]}
        for row in flat
    ]  # fmt: skip
    found = flattened({"version": "1.1", "data": nested}, "train.json")
    assert found is not None
    for row, record in zip(flat, found, strict=True):
        assert {key: record[key] for key in ("id", "title", "context", "question")}.items() <= row.items()
        assert answers(record["answers"], row["context"], "") == answers(row["answers"], row["context"], "")
