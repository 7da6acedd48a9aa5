"""ROUGE: in English rouge-score's own numbers, in all other languages worked out by hand."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from pipeline.metrics.languages import sentences
from pipeline.metrics.rouge import MEASURES, scores
from tests.conftest import ROOT, surroundings

SAME = {
    "en": "The 2 cats don't like 3.5% of “naïve” dogs. Really!",
    "de": "Größere Äpfel schmecken süßer. Das weiß jeder.",
    "fr": "L’été dernier, où étiez-vous ? À Besançon.",
    "ru": "Москва — столица России. Ёлка зелёная.",
    "el": "Η Αθήνα είναι η πρωτεύουσα.",
    "ar": "القاهرة عاصمة مصر. هل تعلم؟",
    "he": "ירושלים היא עיר עתיקה.",
    "hi": "दिल्ली भारत की राजधानी है। क्या आप जानते हैं?",
    "ko": "서울은 대한민국의 수도이다. 그렇죠?",
    "zh": "你好，世界！今天用BERT模型做了3次实验。",
    "ja": "東京タワーに行きました。とても高かったです！",
    "th": "กรุงเทพมหานครเป็นเมืองหลวง",
    "km": "ភ្នំពេញជារាជធានី។",
    "my": "ရန်ကုန်မြို့သည် ကြီးသည်။",
    "bo": "ལྷ་ས་ནི་གྲོང་ཁྱེར་ཡིན།",
}


def one(answer: str, reference: str, language: str) -> dict[str, float]:
    return {name: pytest.approx(values.item()) for name, values in scores([answer], [[reference]], language).items()}


def official(answer: str, references: list[str], language: str = "en") -> dict[str, float]:
    """What rouge-score itself gives, told sentences as it wants them: a line each."""
    scorer = RougeScorer(MEASURES, use_stemmer=True)
    answer, *references = ("\n".join(sentences(text, language)) for text in (answer, *references))
    return {name: 100 * score.fmeasure for name, score in scorer.score_multi(references, answer).items()}


@pytest.mark.parametrize("code", ["own", ""])
@pytest.mark.parametrize("language", SAME)
def test_equal_texts_score_100_in_every_language_and_measure(language: str, code: str) -> None:
    text = SAME[language]
    assert one(text, text, language if code == "own" else "") == dict.fromkeys(MEASURES, 100.0)
    assert one(text, "9 8 7", language)["rouge1"] == 0.0


def test_english_is_measured_as_rouge_score_measures_it() -> None:
    draw = random.Random(3)
    vocabulary = ["running", "runs", "RAN", "naïve", "\n***\n", "don’t", "U.S.", "state-of-the-art", "3.5%", "a", "the", "boats",
                  "flies", "👍", "…", "α-helix", "it", "Apple™", "x_y", "“so”", "cafés"]  # fmt: skip
    answers, references = [], []
    for _ in range(300):
        texts = []
        for _ in range(draw.randint(2, 4)):
            words = draw.choices(vocabulary, k=draw.randint(0, 25))
            texts.append("The end. " + " ".join(word + draw.choice(["", "", ".", "\n", ". It"]) for word in words))
        answers.append(texts[0] if draw.random() < 0.95 else "")
        references.append(texts[1:])
    found = scores(answers, references, "en-GB")
    wanted = [official(answer, right) for answer, right in zip(answers, references, strict=True)]
    for name in MEASURES:
        assert found[name].dtype == np.float64
        assert found[name].tolist() == pytest.approx([row[name] for row in wanted])
    assert not np.allclose(found["rougeL"], found["rougeLsum"])


@pytest.mark.parametrize(
    "answer, reference, rouge1, rouge2, rouge_l",
    [
        ("The cats sat", "the cat ran away", 2 * 2 / 7, 2 * 1 / 5, 2 * 2 / 7),
        ("away ran cat", "the cat ran away", 2 * 3 / 7, 0, 2 * 1 / 7),
        ("cat cat cat", "cat", 2 * 1 / 4, 0, 2 * 1 / 4),
        ("cat", "cat", 1, 0, 1),  # the official rules know no pair of words here
    ],
)
def test_english_by_hand(answer: str, reference: str, rouge1: float, rouge2: float, rouge_l: float) -> None:
    wanted = dict(zip(MEASURES, (100 * rouge1, 100 * rouge2, 100 * rouge_l, 100 * rouge_l), strict=True))
    assert one(answer, reference, "en") == wanted


@pytest.mark.parametrize(
    "language, answer, reference, rouge1, rouge2, rouge_l",
    [
        ("zh", "我爱NLP和BERT模型", "我爱bert", 2 * 3 / 10, 2 * 1 / 8, 2 * 3 / 10),
        ("zh", "在2024年３月", "在 2024 年 3 月", 1, 1, 1),  # 在 2024 年 3 月, wide or not, apart or not
        ("zh", "ＧＰＴ－４，很好！", "gpt-4,很好!", 1, 1, 1),
        ("zh", "北京大学", "大学北京", 1, 2 * 2 / 6, 2 * 2 / 8),
        ("zh", "好", "好", 1, 1, 1),
        ("zh", "好", "坏", 0, 0, 0),
        ("zh", "好", "好的", 2 * 1 / 3, 0, 2 * 1 / 3),
        ("zh", "很好👍", "很好", 1, 1, 1),
        ("zh", "很好。\n👍\n***\n走吧", "很好走吧", 1, 1, 1),
        ("zh", "👍👍", "👍👍", 1, 1, 1),
        ("zh", "👍🏽", "👍🏿", 0, 0, 0),
        ("zh", "！", "！", 1, 1, 1),
        ("zh", "", "", 0, 0, 0),
        ("de", "GRÖSSE ÜBER ALLES", "Grösse u\u0308ber alles", 1, 1, 1),  # small letters; ü of two characters
        ("de", "schoen", "schön", 0, 0, 0),
        ("de", "der Straßen", "die Straße", 0, 0, 0),  # nothing is stemmed
        ("fr", "l’eau", "l'eau", 1, 1, 1),
        ("hi", "नई दिल्ली", "नई दिल्ली।", 1, 1, 1),
        ("hi", "दिल", "दिल्ली", 0, 0, 0),  # marks are no ends of words
        ("fa", "می\u200cخواهم", "میخواهم", 1, 1, 1),
        ("ja", "ｶﾞﾗｽ", "ガラス", 1, 1, 1),
        ("ja", "東京都", "東京", 2 * 2 / 5, 2 * 1 / 3, 2 * 2 / 5),
        ("ko", "서울 특별시", "서울", 2 * 1 / 3, 0, 2 * 1 / 3),
        ("th", "กรุงเทพ", "กรุง", 2 * 3 / 9, 2 * 2 / 7, 2 * 3 / 9),  # ก รุ ง เ ท พ
        ("vi", "Tiếng Việt", "tiếng việt", 1, 1, 1),
    ],
)
def test_other_languages_by_hand(
    language: str, answer: str, reference: str, rouge1: float, rouge2: float, rouge_l: float
) -> None:
    wanted = dict(zip(MEASURES, (100 * rouge1, 100 * rouge2, 100 * rouge_l, 100 * rouge_l), strict=True))
    assert one(answer, reference, language) == wanted


def test_full_width_punctuation_is_punctuation() -> None:
    for language in ("zh", ""):
        assert one("你好，世界！", "你好,世界!", language) == dict.fromkeys(MEASURES, 100.0)


@pytest.mark.parametrize("text", ["Москва — столица", "我爱北京", "é", "α β", "👍 👍"])
def test_text_that_the_english_rules_do_not_see_is_measured_all_the_same(text: str) -> None:
    assert official(text, [text])["rouge1"] == 0 or text == "é"
    assert one(text, text, "en") == dict.fromkeys(MEASURES, 100.0)
    assert one("some English", text, "en") == dict.fromkeys(MEASURES, 0.0)


def test_answers_do_not_choose_the_rules() -> None:
    """Else two models would be measured by two rules on one row."""
    for answer in ("the cats", "кошки и собаки the cats", "кошки"):
        assert one(answer, "the cat", "en") == official(answer, ["the cat"])
    assert one("я and many cats", "я люблю cat", "en")["rouge1"] == pytest.approx(100 * 2 * 1 / 7)


@pytest.mark.parametrize(
    "language, answer, reference, rouge_l",
    [
        ("en", "It rains. We stay in.", "We stay in.\nIt rains.", 2 * 3 / 10),
        ("en", "It rains\nWe stay in", "We stay in\n\nIt rains", 2 * 3 / 10),
        ("zh", "今天下雨。我们不去。", "我们不去。今天下雨。", 2 * 4 / 16),
        ("", "今天下雨\n我们不去", "我们不去\n今天下雨", 2 * 4 / 16),
    ],
)
def test_sentences_of_a_summary_may_come_in_another_order(
    language: str, answer: str, reference: str, rouge_l: float
) -> None:
    found = one(answer, reference, language)
    assert found["rougeL"] == 100 * rouge_l
    assert found["rougeLsum"] == 100.0


def test_the_best_reference_counts_by_each_measure() -> None:
    references = ["b a d c", "a b x y z w v u"]  # all words, and two in order
    found = scores(["a b c d"], [references], "de")
    assert found["rouge1"] == pytest.approx(100.0)
    assert found["rouge2"] == pytest.approx(100 * 2 * 1 / 10)
    assert found["rougeL"] == pytest.approx(100 * 2 * 2 / 8)


def test_rows_may_have_any_number_of_references() -> None:
    found = scores(["a", "a", "a", ""], [["b", "a", "c"], ["b"], [], ["", "b"]], "de")
    assert {name: values.tolist() for name, values in found.items()} == {name: [100, 0, 0, 0] for name in MEASURES}


def test_no_rows_have_no_scores() -> None:
    assert {name: values.shape for name, values in scores([], [], "en").items()} == dict.fromkeys(MEASURES, (0,))


def test_nothing_is_asked_of_a_network(tmp_path: Path) -> None:
    code = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(refuse)
from pipeline.metrics import baselines, rouge, translation
text = "Mr. Bell rang. Nobody came."
assert baselines.lead(text, 1, "en") == "Mr. Bell rang."
assert rouge.scores([text], [[text]], "en")["rougeLsum"] == 100
assert translation.scores([text], [[text]], "en")[0]["bleu"] > 99.9
"""
    environment = surroundings(tmp_path, HOME=str(tmp_path), NLTK_DATA=str(tmp_path), SACREBLEU=str(tmp_path / "none"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())


def test_a_thousand_summaries_take_seconds() -> None:
    draw = random.Random(5)
    texts = [
        " ".join(draw.choices(["cats", "ran", "over", "hills.", "It", "rained", "again."], k=40)) for _ in range(2000)
    ]
    begin = time.process_time()
    scores(texts[:1000], [[text] for text in texts[1000:]], "en")
    assert time.process_time() - begin < 10  # 1.5 s on an idle core
