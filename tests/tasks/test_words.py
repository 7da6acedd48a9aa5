"""Tags of words and semantic roles: windows, offsets, answers and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.corpora import words
from pipeline.tasks import Tokenizers, roles, tagging
from pipeline.tasks.roles import RoleLabelling
from pipeline.tasks.tagging import IGNORED, Tagging
from tests.tasks.conftest import ODD, Trial, Try, one_hot


def entity_rows(texts: list[str]) -> list[dict[str, Any]]:
    """Every third word of each text, and the one behind it, is an entity."""
    rows = []
    for text in texts:
        places = words.split(text)
        spans = [(places[n][0], places[min(n + 1, len(places) - 1)][1], "XY"[n % 2]) for n in range(0, len(places), 3)]
        rows.append({"text": text, "spans": spans})
    return rows


def perfect(trial: Trial) -> np.ndarray:
    """Logits that are sure of every tag where it is asked for, and any elsewhere."""
    return one_hot(trial.features.lists("label").flat(), len(trial.labels))


def word_places(trial: Trial) -> list[list[int]]:
    """The words that the tokens of each example stand for, in all its windows."""
    found: list[list[int]] = [[] for _ in trial.rows]
    for example, places in zip(trial.features.examples, trial.tokens.table("train")["word"].to_pylist(), strict=True):
        found[example] += [place for place in places if place >= 0]
    return found


LONG = " ".join(f"word{n} Zürich, 北京 😀 e\u0301" for n in range(60))


@pytest.mark.parametrize("max_length", [16, 33, 64, 128])
def test_every_word_is_answered_exactly_once_in_windows_of_any_size(tried: Try, max_length: int) -> None:
    trial = tried(Tagging(), entity_rows([LONG, "short", LONG[:200]]), max_length)
    for row, places in zip(trial.rows, word_places(trial), strict=True):
        assert sorted(places) == list(range(len(row["begins"])))
    facts = trial.tokens.read("tokens.json")["splits"]["train"]
    assert facts["cut"] == 0 and facts["longest"] <= max_length and facts["features"] > 3


def test_windows_hold_every_token_of_a_text_and_share_a_quarter(tried: Try) -> None:
    long = tried(Tagging(), entity_rows([LONG]), 32).tokens.table("train")["input_ids"].to_pylist()
    (whole,) = tried(Tagging(), entity_rows([LONG]), 512).tokens.table("train")["input_ids"].to_pylist()[:1]
    joined = long[0][1:-1]
    for row in long[1:]:
        assert joined[-8:] == row[1:9]
        joined += row[9:-1]
    assert joined[: len(whole) - 2] == whole[1:-1]


def test_a_word_is_answered_where_it_has_most_around_it(tried: Try) -> None:
    trial = tried(Tagging(), entity_rows([LONG]), 32)
    table = trial.tokens.table("train").to_pylist()
    for number, row in enumerate(table):
        at = [n for n, place in enumerate(row["word"]) if place >= 0]
        assert min(at) >= (1 if number == 0 else 4)
        assert max(at) <= (30 if number == len(table) - 1 else 27)


@pytest.mark.parametrize("max_length", [12, 64])
def test_sure_tags_give_the_very_entities_with_their_places(tried: Try, max_length: int) -> None:
    rows = entity_rows([*ODD[:-2], LONG])
    trial = tried(Tagging(), rows, max_length)
    logits = perfect(trial)
    found = trial.monitor(logits)
    assert found["loss"] < 1e-3 and (found["accuracy"], found["f1"]) == (1, 1)
    evidence = trial.evidence(logits)
    for row, answer in zip(rows, tagging.decode(evidence), strict=True):
        for entity in answer["entities"]:
            assert row["text"][entity["start"] : entity["end"]] == entity["text"]
            assert entity["score"] > 0.99
        told = [(entity["start"], entity["end"], entity["label"]) for entity in answer["entities"]]
        assert told == row["spans"]
    scores, details = tagging.judge(evidence)
    assert (scores["f1"], scores["precision"], scores["recall"], scores["accuracy"]) == (1, 1, 1, 1)
    assert scores["baseline_f1"] < 1 and next(iter(scores)) == "f1"
    assert set(details["labels"]) == {"X", "Y"} and details["intervals"]["f1"] == [1, 1]


@pytest.mark.parametrize("text", ["🇩🇪🇫🇷", "ไทย"])
def test_words_that_the_tokenizer_does_not_tell_apart_are_answered_as_one(tried: Try, text: str) -> None:
    trial = tried(Tagging(), [{"text": text, "spans": [[0, len(text), "X"]]}])
    (answer,) = tagging.decode(trial.evidence(perfect(trial)))
    assert [(each["start"], each["end"], each["label"]) for each in answer["entities"]] == [(0, len(text), "X")]
    assert tagging.judge(trial.evidence(perfect(trial)))[0]["f1"] == 1


def test_a_word_that_the_tokenizer_does_not_see_is_no_part_of_the_one_before(tried: Try) -> None:
    trial = tried(Tagging(), [{"text": "one \ue000", "spans": [[0, 5, "X"]]}])
    (answer,) = tagging.decode(trial.evidence(perfect(trial)))
    assert [(each["start"], each["end"], each["label"]) for each in answer["entities"]] == [(0, 3, "X")]
    assert tagging.judge(trial.evidence(perfect(trial)))[0]["f1"] == 0, "half an entity is none"


def test_characters_that_are_given_one_by_one_are_learned_as_they_are_asked(tried: Try) -> None:
    tags = ["B-T", "I-T", "I-T", "I-T", "I-T", "O", "B-X", "I-X", "I-X", "B-Y"]
    trial = tried(Tagging(), [{"words": [*"5月10日看NBA队"], "tags": tags}])
    asked = tried(Tagging(), [{"text": "5月10日看NBA队", "spans": [[0, 1, "T"]]}])
    assert trial.features.inputs([0])["input_ids"].tolist() == asked.features.inputs([0])["input_ids"].tolist()
    evidence = trial.evidence(perfect(trial))
    (answer,) = tagging.decode(evidence)
    assert [(each["text"], each["label"]) for each in answer["entities"]] == [
        ("5月10日", "T"),
        ("NBA", "X"),
        ("队", "Y"),
    ]
    assert tagging.judge(evidence)[0]["f1"] == 1


def test_parts_of_speech_are_answered_for_every_word(tried: Try) -> None:
    tags = [["A", "BB", "O"][n % 3] for n in range(7)]
    rows = [{"words": ["dogs", "antidisestablishment", "😀", "北京", "\u200b", "x" * 300, "."], "tags": tags}] * 2
    trial = tried(Tagging(), rows, 40)
    logits = perfect(trial)
    assert trial.monitor(logits)["f1"] == 1
    evidence = trial.evidence(logits)
    for answer in tagging.decode(evidence):
        assert [each["text"] for each in answer["tags"]] == rows[0]["words"]
        told = [each["label"] for each in answer["tags"]]
        assert told[:4] + told[5:] == tags[:4] + tags[5:]
        assert (told[4], answer["tags"][4]["score"]) == ("O", 0), "a word that the tokenizer does not see"
    scores, details = tagging.judge(evidence)
    assert next(iter(scores)) == "accuracy" and scores["accuracy"] == pytest.approx(6 / 7, abs=1e-6)
    assert scores["baseline_accuracy"] == 1, "every word was learned from"
    assert len(details["intervals"]["accuracy"]) == 2


def test_the_baseline_gives_each_word_its_commonest_tag(tried: Try) -> None:
    rows = [
        {"words": ["Rome", "slept", "well"], "tags": ["B-LOC", "O", "O"]},
        {"words": ["Rome", "fell", "."], "tags": ["B-LOC", "O", "O"]},
        {"words": ["Mr", "Rome"], "tags": ["O", "B-PER"]},
    ]
    trial = tried(Tagging(), rows)
    scores, _ = tagging.judge(trial.evidence(perfect(trial)))
    assert scores["baseline_f1"] == pytest.approx(2 * 2 / (3 + 3), abs=1e-6)


def test_impossible_sequences_of_tags_are_read_as_some_spans(tried: Try) -> None:
    trial = tried(Tagging(), [{"words": ["a", "b", "c", "d"], "tags": ["B-X", "I-X", "O", "B-Y"]}])
    names = trial.labels
    tokens = trial.features.lists("word").flat()
    answers = ["I-X", "I-Y", "I-Y", "O"]
    logits = one_hot([names.index(answers[place]) if place >= 0 else -1 for place in tokens], len(names))
    (answer,) = tagging.decode(trial.evidence(logits))
    assert [(each["text"], each["label"]) for each in answer["entities"]] == [("a", "X"), ("b c", "Y")]


def test_rows_to_answer_only_have_no_labels(tried: Try, minilm: Any) -> None:
    from pipeline.stages.tokenize import Encoder, load_tokenizer

    trial = tried(Tagging(), entity_rows(ODD))
    encoder = Encoder(Tagging(), Tokenizers(load_tokenizer(minilm.path, "").backend_tokenizer), 64, types=False)
    batch = trial.corpus.table("train").drop_columns(["label"]).combine_chunks().to_batches()[0]
    found, cut = encoder.encode(batch)
    assert found.schema.names == ["input_ids", "example", "word"] and cut == 0
    assert found["word"].to_pylist() == trial.tokens.table("train")["word"].to_pylist()


# Roles

SENTENCES = [
    (["Anna", "fed", "the", "cat", "."], 1, ["B-ARG0", "O", "B-ARG1", "I-ARG1", "O"]),
    (["The", "cat", "may", "never", "sleep", "here"], 4,
     ["B-ARG0", "I-ARG0", "B-ARGM-MOD", "B-ARGM-NEG", "O", "B-ARGM-LOC"]),
    (["我", "喂", "了", "北京", "的", "猫"], 1, ["B-ARG0", "O", "O", "B-ARG1", "I-ARG1", "I-ARG1"]),
    ([f"w{n}" for n in range(50)] + ["ate", "😀"], 50, ["O"] * 49 + ["B-ARG0", "O", "B-ARG1"]),
]  # fmt: skip
ROLES = [{"words": found, "predicate": predicate, "tags": tags} for found, predicate, tags in SENTENCES]


@pytest.mark.parametrize("max_length", [24, 64])
def test_sure_roles_give_the_very_arguments_of_the_predicate(tried: Try, max_length: int) -> None:
    trial = tried(RoleLabelling(), ROLES, max_length)
    logits = perfect(trial)
    found = trial.monitor(logits)
    assert found["loss"] < 1e-3 and found["f1"] == found["accuracy"] == 1
    evidence = trial.evidence(logits)
    for row, answer in zip(trial.rows, roles.decode(evidence), strict=True):
        for part in (answer["predicate"], *answer["arguments"]):
            assert row["text"][part["start"] : part["end"]] == part["text"]
    told = [answer["predicate"]["text"] for answer in roles.decode(evidence)]
    assert told == [found[predicate] for found, predicate, _ in SENTENCES]
    first = next(iter(roles.decode(evidence)))["arguments"]
    assert [(part["label"], part["text"]) for part in first] == [("ARG0", "Anna"), ("ARG1", "the cat")]
    scores, _ = roles.judge(evidence)
    assert scores["f1"] == scores["accuracy"] == 1 and 0 < scores["baseline_f1"] < 1


def test_every_word_has_a_tag_once_in_the_windows_of_a_sentence(tried: Try) -> None:
    trial = tried(RoleLabelling(), ROLES, 24)
    for row, places in zip(trial.rows, word_places(trial), strict=True):
        assert sorted(places) == list(range(len(row["begins"])))
    assert len(trial.features) > len(ROLES)


def test_the_predicate_is_marked_and_follows_as_the_second_text(tried: Try, minilm: Any) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(minilm.path)
    row = tried(RoleLabelling(), ROLES[:1]).tokens.table("train").to_pylist()[0]
    assert tokenizer.convert_ids_to_tokens(row["input_ids"]) == [
        "[CLS]", "anna", "fed", "the", "cat", ".", "[SEP]", "fed", "[SEP]"
    ]  # fmt: skip
    plain = tokenizer("Anna fed the cat .", "fed")
    assert row["input_ids"] == plain["input_ids"]
    marked = [kind or int(n == 2) for n, kind in enumerate(plain["token_type_ids"])]
    assert row["token_type_ids"] == marked, "as anybody's tokenizer has the types, and the predicate besides"
    assert row["label"][-2:] == [IGNORED, IGNORED] and row["word"][-2:] == [-1, -1]


def test_without_token_types_equal_predicates_are_told_apart_by_asterisks(tried: Try, minilm: Any) -> None:
    from transformers import AutoTokenizer

    from pipeline.stages.tokenize import Encoder, load_tokenizer

    said = ["He", "said", "that", "she", "said", "no", "."]
    tags = [["B-ARG0", "O", "B-ARG1", *["I-ARG1"] * 3, "O"], ["O", "O", "O", "B-ARG0", "O", "B-ARG1", "O"]]
    rows = [{"words": said, "predicate": p, "tags": row} for p, row in zip((1, 4), tags, strict=True)]
    trial = tried(RoleLabelling(), rows)
    (batch,) = trial.corpus.table("train").combine_chunks().to_batches()
    tokenizer = load_tokenizer(minilm.path, "").backend_tokenizer
    found, _ = Encoder(RoleLabelling(), Tokenizers(tokenizer), 64, types=False).encode(batch)
    assert "token_type_ids" not in found.schema.names
    told = [
        AutoTokenizer.from_pretrained(minilm.path).convert_ids_to_tokens(ids) for ids in found["input_ids"].to_pylist()
    ]
    assert " ".join(told[0]) == "[CLS] he * said * that she said no . [SEP] said [SEP]"
    assert " ".join(told[1]) == "[CLS] he said that she * said * no . [SEP] said [SEP]"
    for tokens, places, labels, row in zip(
        told, found["word"].to_pylist(), found["label"].to_pylist(), tags, strict=True
    ):
        assert [tokens[n] for n, place in enumerate(places) if place >= 0] == [word.lower() for word in said]
        assert [trial.labels[label] for label in labels if label != IGNORED] == row


def test_a_long_predicate_leaves_room_for_its_sentence(tried: Try) -> None:
    rows = [{"words": ["a", "x" * 90, "b", "c"], "predicate": 1, "tags": ["B-ARG0", "O", "B-ARG1", "I-ARG1"]}]
    trial = tried(RoleLabelling(), rows, 16)
    assert sorted(word_places(trial)[0]) == [0, 1, 2, 3]
    assert max(trial.features.lengths) <= 16


def test_the_rule_for_english_finds_what_it_says() -> None:
    def ruled(text: str, predicate: str) -> dict[str, str]:
        found = text.split()
        bounds = [(n, n + 1) for n in range(len(found))]
        row = {"text": found, "begins": [b for b, _ in bounds], "ends": [e for _, e in bounds]}
        joined, places = words.join(found, "")
        row = {"text": joined, "begins": [b for b, _ in places], "ends": [e for _, e in places],
               "predicate": found.index(predicate)}  # fmt: skip
        return {word: tag for word, tag in zip(found, roles.ruled(row), strict=True) if tag != "O"}

    assert ruled("He left , but she will not feed the cat .", "feed") == {
        "she": "B-ARG0", "will": "B-ARGM-MOD", "not": "B-ARGM-NEG", "the": "B-ARG1", "cat": "I-ARG1"
    }  # fmt: skip
    assert ruled("Go home", "Go") == {"home": "B-ARG1"}
    assert ruled("The cat was fed", "fed") == {"The": "B-ARG0", "cat": "I-ARG0"}
