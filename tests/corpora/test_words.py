"""Words of a text, the text of words, and tags from marked characters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from pipeline.corpora.words import join, split, tagged
from pipeline.errors import UserError

WHERE = "data/train.jsonl, line 7"
ANNA = "Anna Lee met Bo in Rome."


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good soup, 2 euros!", ["Good", "soup", ",", "2", "euros", "!"]),
        ("It's 3.5%", ["It", "'", "s", "3", ".", "5", "%"]),
        ("snake_case A1b2", ["snake", "_", "case", "A1b2"]),
        ("我爱Python3。", ["我", "爱", "Python3", "。"]),
        ("東京タワーへ行く", [*"東京タワーへ行く"]),
        ("서울에 간다", ["서울에", "간다"]),
        ("ผมรัก", ["ผ", "ม", "รั", "ก"]),
        ("ມື້", ["ມື້"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("မြန်", ["မြ", "န်"]),
        ("ＡＢＣ１２！", ["ＡＢＣ１２", "！"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("naïve cafe\u0301", ["naïve", "cafe\u0301"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("葛\U000e0100城", ["葛\U000e0100", "城"]),
        ("", []),
        (" \t\n\u3000\u00a0", []),
    ],
)
def test_words_are_runs_of_letters_or_single_characters(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("emoji", ["😀", "👍🏽", "👨‍👩‍👧‍👦", "👩🏽‍⚕️", "🏳️‍🌈", "❤️‍🔥", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#️⃣", "☝🏿", "🏽"])
def test_an_emoji_with_all_that_is_joined_to_it_is_one_word(emoji: str) -> None:
    assert words(f"ok {emoji} ok") == ["ok", emoji, "ok"]
    assert words(f"好{emoji}好") == ["好", emoji, "好"]


def test_emoji_side_by_side_stay_apart() -> None:
    assert words("😀👍🏽👍🇩🇪🇫🇷") == ["😀", "👍🏽", "👍", "🇩🇪", "🇫🇷"]


def test_bounds_of_words_are_offsets_in_the_text_as_it_is() -> None:
    assert split("ａ  😀b") == [(0, 1), (3, 4), (4, 5)]


def test_what_cannot_be_seen_is_no_word_and_parts_words() -> None:
    assert words("a\u200bb \u200e \x00 \ufeff c") == ["a", "b", "c"]


def test_every_character_that_can_be_seen_is_in_one_word() -> None:
    text = "".join(map(chr, [*range(0x20, 0xD800, 7), *range(0xE000, 0x20000, 11)]))
    found = split(text)
    assert all(start < end for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    inside = {place for start, end in found for place in range(start, end)}
    assert all(place in inside for place, character in enumerate(text) if character.isalnum())


def test_words_are_joined_by_one_space_and_found_again() -> None:
    text, bounds = join(["EU", "rejects", "New York", "."], WHERE)
    assert text == "EU rejects New York ."
    assert [text[start:end] for start, end in bounds] == ["EU", "rejects", "New York", "."]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([*"我爱北京，真的！"], "我爱北京，真的！"),
        ([*"他说：“好……”"], "他说：“好……”"),
        (["我", "用", "Python", "3", "写", "。"], "我用 Python 3 写。"),
        ([*"2比1"], "2比1"),
        ([*"5月10日NBA"], "5月10日NBA"),
        (["2", "比", "10"], "2 比 10"),
        (["我", "👍🏽", "e\u0301", "a", "7"], "我👍🏽e\u0301a7"),
        ([*"NBA"], "N B A"),
        (["東京", "タワー", "へ", "行く", "。"], "東京タワーへ行く。"),
        (["ผม", "รัก", "ภาษา", "ไทย"], "ผมรักภาษาไทย"),
        (["서울", "에"], "서울 에"),
        (["ＡＢ", "ＣＤ"], "ＡＢ ＣＤ"),
        (["葛\U000e0100", "城"], "葛\U000e0100城"),
        (["say", "“", "…", "”"], "say “ … ”"),
        ([" padded ", "word"], "padded word"),
        ([], ""),
    ],
)
def test_scripts_without_spaces_are_joined_without_spaces(given: list[str], expected: str) -> None:
    text, bounds = join(given, WHERE)
    assert text == expected
    assert [text[start:end] for start, end in bounds] == [word.strip() for word in given]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a", ""], "word 2 is empty; take it out, and its tag"),
        (["a", "b", " \u3000"], "word 3 is only white space; take it out, and its tag"),
        ([1996], "word 1 is 1996, not text; put it into double quotes"),
    ],
)
def test_a_word_that_is_none_is_named_by_its_position(given: list[Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        join(given, WHERE)
    assert str(caught.value) == f"{WHERE}: {message}"


@pytest.mark.parametrize(
    "entities",
    [
        [{"start": 0, "end": 8, "label": "person"}, {"start": 19, "end": 23, "label": "place"}],
        [{"start": 19, "end": 23, "labels": ["place"], "text": "Rome"}, {"start": 0, "end": 8, "labels": ["person"]}],
        [{"id": 1, "start_offset": 0, "end_offset": 8, "label": "person"}, [19, 23, "place"]],
        [(0, 8, "person"), [19, 23, ["place"]]],
        [[0, 9, " person "], [18, 23, "place"]],
    ],
)
def test_every_way_to_mark_characters_gives_the_same_tags(entities: list[Any]) -> None:
    bounds, tags = tagged(ANNA, entities, WHERE)
    assert [ANNA[start:end] for start, end in bounds] == ["Anna", "Lee", "met", "Bo", "in", "Rome", "."]
    assert tags == ["B-person", "I-person", "O", "O", "O", "B-place", "O"]


def test_a_bound_inside_a_word_divides_it() -> None:
    text = "Preis:5km München-Nord"
    bounds, tags = tagged(text, [[6, 7, "number"], [10, 13, "part"]], WHERE)
    assert [text[start:end] for start, end in bounds] == ["Preis", ":", "5", "km", "Mün", "chen", "-", "Nord"]
    assert tags == ["O", "O", "B-number", "O", "B-part", "O", "O", "O"]


def test_adjacent_entities_stay_apart() -> None:
    assert tagged("小明小红", [[0, 2, "name"], [2, 4, "name"]], WHERE)[1] == ["B-name", "I-name", "B-name", "I-name"]


def test_offsets_count_code_points() -> None:
    text = "😀 Rome"
    assert tagged(text, [[2, 6, "place"]], WHERE) == ([(0, 1), (2, 6)], ["O", "B-place"])


def test_a_number_can_be_a_label() -> None:
    assert tagged("Bo", [{"start_offset": 0, "end_offset": 2, "label": 3}], WHERE)[1] == ["B-3"]


def test_a_text_without_entities_is_all_outside() -> None:
    assert tagged("Hi there", [], WHERE) == ([(0, 2), (3, 8)], ["O", "O"])
    assert tagged("", [], WHERE) == ([], [])


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        ([[0.5, 4, "x"]], "entity 1 is from 0.5 to 4, which must be whole numbers; correct it"),
        ([{"end": 4, "label": "x"}], "entity 1 is from None to 4, which must be whole numbers; correct it"),
        ([["0", True, "x"]], "entity 1 is from '0' to True, which must be whole numbers; correct it"),
        (
            [[0, 4, "x"], [9, 9, "x"]],
            "entity 2 is from 9 to 9, which is no character; the end is that of its last character plus 1",
        ),
        ([[9, 4, "x"]], "entity 1 is from 9 to 4, which is no character; the end is that of its last character plus 1"),
        (
            [[19, 25, "x"]],
            "entity 1 is from 19 to 25, outside of the text, which has 24 characters; count characters from 0, not bytes or UTF-16 units",
        ),
        (
            [[-1, 4, "x"]],
            "entity 1 is from -1 to 4, outside of the text, which has 24 characters; count characters from 0, not bytes or UTF-16 units",
        ),
        (
            [[5, 12, "y"], [0, 8, "x"]],
            "entity 2 (0 to 8, x) and entity 1 (5 to 12, y) overlap, and a word has one tag; take one out",
        ),
        (
            [[0, 12, "x"], [5, 8, "y"]],
            "entity 1 (0 to 12, x) and entity 2 (5 to 8, y) overlap, and a word has one tag; take one out",
        ),
        (
            [[0, 4, "x"], [0, 4, "x"]],
            "entity 1 (0 to 4, x) and entity 2 (0 to 4, x) overlap, and a word has one tag; take one out",
        ),
        ([{"start": 0, "end": 4}], "entity 1 (0 to 4) has no label; fill it in, or take the entity out"),
        ([[0, 4, " "]], "entity 1 (0 to 4) has no label; fill it in, or take the entity out"),
        ([[0, 4]], "entity 1 (0 to 4) has no label; fill it in, or take the entity out"),
        (
            [{"start": 0, "end": 4, "labels": []}],
            "entity 1 (0 to 4) has no label; fill it in, or take the entity out",
        ),
        (
            [{"start": 0, "end": 4, "labels": ["x", "y"]}],
            "entity 1 (0 to 4) has several labels, x, y, and a word has one tag; leave one",
        ),
        ([[0, 4, {"a": 1}]], "entity 1 (0 to 4) has the label {'a': 1}, which is no name; correct it"),
        ([[4, 5, "x"]], "entity 1 (4 to 5, x) is only white space; correct its bounds, or take it out"),
        (
            ["Anna"],
            """entity 1 is 'Anna'; expected {"start": 4, "end": 9, "label": "person"} or [4, 9, "person"]""",
        ),
    ],
)
def test_a_mark_that_cannot_be_meant_is_named_with_the_way_out(entities: list[Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        tagged(ANNA, entities, WHERE)
    assert str(caught.value) == f"{WHERE}: {message}"
