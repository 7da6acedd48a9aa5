"""Codes and scripts of languages, and the sentences of texts."""

from __future__ import annotations

import random

import pytest

from pipeline.metrics.baselines import lead
from pipeline.metrics.languages import named, primary, sentences


@pytest.mark.parametrize(
    "code, first",
    [("en", "en"), ("EN-gb", "en"), ("zh-TW", "zh"), ("ZH_hans", "zh"), ("zho_Hans", "zh"), ("cmn", "zh"), ("jpn", "ja"),
     ("kor_Hang", "ko"), ("khm", "km"), ("deu", "deu"), ("", "")],
)  # fmt: skip
def test_the_first_part_of_a_code_counts(code: str, first: str) -> None:
    assert primary(code) == first


@pytest.mark.parametrize(
    "language, text",
    [
        ("zh", "今天天气很好。"),
        ("zh", "我们用 transformers 微调 BERT 模型"),  # a Chinese character counts as much as a word
        ("zh", "他最喜欢的动画片是《となりのトトロ》，已经看了三十多遍，每一遍都会笑，每一遍都会哭，从来没有厌倦过，以后也不会有厌倦的那一天，因为那是他和已经去世的奶奶一起看过的第一部电影，"
               "里面的每一句台词他都记得清清楚楚。"),  # some kana
        ("ja", "東京タワーに行きました。"),
        ("ja", "日本国憲法第九条を改正する"),
        ("ja", "ﾃﾚﾋﾞ"),
        ("th", "สวัสดีครับ"),
        ("lo", "ສະບາຍດີ"),
        ("km", "សួស្តី"),
        ("my", "မင်္ဂလာပါ"),
        ("", "A film called 英雄 was shown in the town hall."),
        ("", "서울에서 살고 있습니다."),
        ("", "Привет, мир!"),
        ("", "12 + 30 = 42 👍"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_script_without_spaces_tells_the_language(language: str, text: str) -> None:
    assert named("", [text]) == language
    assert named("de-AT", [text]) == "de"


def test_all_texts_together_tell_the_language() -> None:
    assert named("", ["BERT", "第一章", "GPT", "第二章"]) == "zh"
    assert named("", []) == ""


@pytest.mark.parametrize(
    "language, text, found",
    [
        (
            "en",
            "Dr. Smith paid 3.5 dollars. Why? He was late!",
            ["Dr. Smith paid 3.5 dollars. ", "Why? ", "He was late!"],
        ),
        ("en", "One line\nand another.\n\nA third\r\n", ["One line\n", "and another.\n", "A third\r\n"]),
        ("de", "Am 3. Mai kam er. Es regnete.", ["Am 3. Mai kam er. ", "Es regnete."]),
        (
            "zh-CN",
            "你好，世界！今天下雨。是吗？“是的。”他说。",
            ["你好，世界！", "今天下雨。", "是吗？", "“是的。”", "他说。"],
        ),
        ("ja", "はい。行きます！", ["はい。", "行きます！"]),
        ("hi", "यह है। वह है।", ["यह है। ", "वह है।"]),
        ("", "It rains. It pours.", ["It rains. ", "It pours."]),
        ("tlh", "It rains. It pours.", ["It rains. ", "It pours."]),
        ("en", " \n\t\n", []),
        ("en", "", []),
    ],
)
def test_sentences_end_as_the_language_has_it_and_with_lines(language: str, text: str, found: list[str]) -> None:
    assert sentences(text, language) == found


def test_sentences_lose_nothing_that_can_be_seen() -> None:
    draw = random.Random(1)
    signs = 'aZ9.!?。！？…"”’ \n\t\u2028\u200d\u0301👍🏽€字かन।'
    for _ in range(3000):
        text = "".join(draw.choice(signs) for _ in range(draw.randrange(30)))
        for language in ("en", "zh", "hi", ""):
            assert "".join("".join(sentences(text, language)).split()) == "".join(text.split())


def test_the_lead_of_a_text_is_its_first_sentences_as_they_stand() -> None:
    text = "Mr. Bell rang.  Nobody came.\nSo he left.\n\nIt was late."
    assert lead(text, 1, "en") == "Mr. Bell rang."
    assert lead(text, 3, "en") == "Mr. Bell rang.  Nobody came.\nSo he left."
    assert lead(text, 9, "en") == "Mr. Bell rang.  Nobody came.\nSo he left.\nIt was late."
    assert lead("你好！今天下雨。明天呢？", 2, "") == "你好！今天下雨。"
    assert lead("", 3, "en") == lead(" \n", 3, "en") == ""
