"""Answers are judged as the scripts of SQuAD, CMRC 2018 and MLQA judge them; expected numbers are worked out by hand."""

from __future__ import annotations

import pytest

from pipeline.metrics.answers import exact, overlap


@pytest.mark.parametrize(
    "answer, truth, is_exact, f1",
    [
        ("the Denver Broncos!", "Denver  Broncos", 1, 1),
        ("Broncos, Denver", "Denver Broncos", 0, 1),  # a bag of words knows no order
        ("Denver Broncos of 2016", "Denver Broncos", 0, 2 * 2 / 6),
        ("Denver Denver", "Denver", 0, 2 / 3),  # the second has nothing to match
        ("well-known", "well known", 0, 0),  # punctuation goes without a trace
        ("U.S.", "US", 1, 1),
        ("anthem", "them", 0, 0),  # only whole words are articles
        ("a.n", "", 1, 1),  # ... and those that punctuation hid
        ("“Broncos”", "Broncos", 0, 0),  # only ASCII's punctuation
        ("Paris", "London", 0, 0),
    ],
)
def test_english_is_judged_by_the_rules_of_squad(answer: str, truth: str, is_exact: float, f1: float) -> None:
    assert exact(answer, [truth], "en") == is_exact
    assert overlap(answer, [truth], "en") == pytest.approx(f1)
    assert overlap(truth, [answer], "en") == pytest.approx(f1) or not truth


@pytest.mark.parametrize(
    "answer, truth, is_exact, f1",
    [
        ("《红楼梦》，曹雪芹（著）。", "《红楼梦》，曹雪芹（著）。", 1, 1),
        ("《红楼梦》", "红楼梦", 1, 1),
        ("“一九四九年”", "一九四九年、", 1, 1),
        ("北京大学", "北京的大学", 0, 2 * 2 / 9),  # the longest run is two of four and of five
        ("大学北京", "北京大学", 0, 2 * 2 / 8),  # order counts
        ("2018年", "2018年10月", 0, 2 * 2 / 6),  # 2018 年 10 月: four units
        ("2018 年", "2018年", 0, 1),  # white space parts units, and stays where all has to be equal
        ("iPhone 6S手机", "iphone 6s", 0, 2 * 2 / 6),
        ("NBA总冠军", "nba总冠军", 1, 1),
        ("3.5亿", "3.5亿元", 0, 2 * 2 / 5),
        ("他不是", "他不", 0, 4 / 5),
        ("完了…", "完了", 0, 4 / 5),  # the script's list has "……", which no single character equals
        ("对!", "对", 0, 2 / 3),  # and it has no ASCII "!"
        ("24/7小时", "247小时", 1, 1),
        ("don't停", "停", 0, 2 / 4),  # do n't 停
        ("Tom's书", "Tom的书", 0, 2 / 6),
        ("上海", "北京", 0, 0),
    ],
)
def test_chinese_is_judged_by_the_rules_of_cmrc_2018(answer: str, truth: str, is_exact: float, f1: float) -> None:
    for language in ("zh", "zh-TW", "ZH_hans"):
        assert exact(answer, [truth], language) == is_exact
        assert overlap(answer, [truth], language) == pytest.approx(f1)
    assert overlap(truth, [answer], "zh") == pytest.approx(f1)


@pytest.mark.parametrize(
    "language, answer, truth, is_exact, f1",
    [
        ("de", "die „Zauberflöte“", "Die Zauberflöte", 1, 1),
        ("de", "die Zauberflöte", "Zauberflöte", 0, 2 / 3),  # articles stay
        ("fr", "l’Odéon", "lodéon", 1, 1),
        ("ru", "Москва - столица", "москва столица", 1, 1),
        ("ko", "서울 특별시", "서울", 0, 2 / 3),
        ("ja", "東京、タワー", "東京タワー", 1, 1),
        ("ja", "東京 都", "東京都", 1, 1),
        ("ja", "東京タワー", "東京", 0, 2 * 2 / 7),
        ("ja", "NHK放送", "nhkの放送", 0, 2 * 3 / 7),
        ("th", "กรุงเทพ", "กรุง", 0, 2 * 3 / 9),  # กรุ carries its vowel: ก รุ ง, not four characters
        ("my", "ရန်ကုန်", "ရန်", 0, 2 * 2 / 6),
        ("hi", "नई दिल्ली", "दिल्ली।", 0, 2 / 3),  # its vowels do not part words
        ("fa", "می\u200cخواهم", "میخواهم", 1, 1),
        ("ar", "بغداد؟", "بغداد", 1, 1),
    ],
)
def test_other_languages_are_judged_by_words_or_characters(
    language: str, answer: str, truth: str, is_exact: float, f1: float
) -> None:
    assert exact(answer, [truth], language) == is_exact
    assert overlap(answer, [truth], language) == pytest.approx(f1)


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
@pytest.mark.parametrize("truths", [[], [""], ["", " "], ["-"]])
def test_no_truth_means_that_there_is_no_answer(language: str, truths: list[str]) -> None:
    for measure in (exact, overlap):
        assert measure("", truths, language) == 1
        assert measure("42", truths, language) == 0


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_no_answer_is_wrong_where_there_is_one(language: str) -> None:
    for measure in (exact, overlap):
        assert measure("", ["42"], language) == 0
        assert measure("", ["42", ""], language) == 0  # an empty truth beside another says nothing


def test_the_best_of_all_truths_counts() -> None:
    assert overlap("Denver Broncos", ["Paris", "Denver Broncos of 2016", "Denver"], "en") == pytest.approx(2 / 3)
    assert exact("Denver", ["Paris", "Denver"], "en") == 1
    assert overlap("北京大学", ["上海", "北京"], "zh") == pytest.approx(4 / 6)
