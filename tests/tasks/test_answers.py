"""Question answering: windows, places, thresholds and the best answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.tasks import Tokenizers, questions
from pipeline.tasks.candidates import Candidates, best_threshold
from pipeline.tasks.questions import NULL, QuestionAnswering
from tests.stages.conftest import refusing
from tests.tasks.conftest import ODD, SURE, Trial, Try

FILL = " ".join(f"filler {n} is here." for n in range(40))
LONG = f"{FILL} The cat sat in Zürich 😀 on Monday. {FILL}"


def asked(context: str, answer: str | None, question: str = "What is it?") -> dict[str, Any]:
    found = [] if answer is None else [{"text": answer, "answer_start": context.index(answer)}]
    return {"question": question, "context": context, "answers": found}


def perfect(trial: Trial) -> np.ndarray:
    """Logits that are sure of the start and the end in every window."""
    features = trial.features
    found = np.zeros((int(features.starts[-1]), 2), np.float32)
    for row, target in enumerate(trial.tokens.table("train")["label"].to_pylist()):
        for side, place in enumerate(target):
            found[features.starts[row] + place, side] = SURE
    return found


def told(trial: Trial, logits: np.ndarray, decision: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The answers, each of which must stand where it says."""
    answers = list(questions.decode(trial.evidence(logits, decision)))
    for row, answer in zip(trial.rows, answers, strict=True):
        for each in (answer, *answer["candidates"]):
            if each["start"] is not None:
                assert row["context"][each["start"] : each["end"]] == each["answer"]
        assert 0 <= answer["score"] <= 1
    return answers


IN_ODD = [
    "met 😀",
    "ｗｉｄｔｈ",
    "width \u200bjoiners",
    "naïve",
    "北京见",
    "野家 龘",
    "two spaces",
    "ß",
    "हिन्दी",
    "👍🏽",
]
PLACED = [asked(context, answer) for context, answer in zip(ODD, IN_ODD, strict=True)]


@pytest.mark.parametrize("max_length", [24, 64])
def test_sure_logits_give_the_very_answers_with_their_places(tried: Try, max_length: int) -> None:
    trial = tried(QuestionAnswering(stride=4), [*PLACED, asked(LONG, "in Zürich 😀")], max_length)
    logits = perfect(trial)
    found = trial.monitor(logits)
    assert found["loss"] < 0.01 and (found["exact"], found["f1"]) == (1, 1)
    evidence = trial.evidence(logits)
    assert evidence.decision["null_threshold"] is None
    assert [answer["answer"] for answer in told(trial, logits)] == [*IN_ODD, "in Zürich 😀"]
    scores, details = questions.judge(evidence)
    assert list(scores) == ["f1", "exact_match", "baseline_f1"]
    assert scores["f1"] == scores["exact_match"] == 1 and details["intervals"]["f1"] == [1, 1]
    assert 0 < scores["baseline_f1"] < 1


def test_the_space_in_front_of_a_byte_level_token_is_no_part_of_an_answer() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from pipeline.stages.tokenize import Encoder

    context, tokenizer = "Bees\n  live in Bonn .", Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: n for n, letter in enumerate(["<s>", *letters, "ĠB", "on", "ĠBon", "ĠBonn"])}
    tokenizer.model = models.BPE(vocab=vocabulary, merges=[("Ġ", "B"), ("o", "n"), ("ĠB", "on"), ("ĠBon", "n")])
    tokenizer.post_processor = processors.TemplateProcessing(pair="<s> $A <s> $B:1", special_tokens=[("<s>", 0)])
    task, start = QuestionAnswering(stride=4), context.index("Bonn")
    rows = {"question": ["Where?"], "context": [context], "answers": [["Bonn"]], "label": [[start]]}
    encoder = Encoder(task, Tokenizers(tokenizer), 64, types=False)
    row = encoder.encode(pa.RecordBatch.from_pydict(rows))[0].to_pylist()[0]
    first, last = row["label"]
    assert first == last and (row["begin"][first], row["end"][last]) == (start, start + 4)
    there = [(begin, end) for begin, end in zip(row["begin"], row["end"], strict=True) if begin >= 0]
    assert all(context[begin:end].strip() == context[begin:end] != "" for begin, end in there)


@pytest.mark.parametrize("answer", ["\u200bjoiners", "joiners\u200d", "ab\u200b", "\u200bc\u200d"])
def test_an_answer_with_characters_that_the_tokenizer_does_not_see_is_learned(tried: Try, answer: str) -> None:
    trial = tried(
        QuestionAnswering(stride=12), [asked("zero \u200bjoiners\u200d ab\u200b \u200bc\u200d end", answer)], 32
    )
    (target,) = trial.tokens.table("train")["label"].to_pylist()
    assert target[0] > NULL and target[1] >= target[0]
    assert trial.monitor(perfect(trial))["exact"] == 1
    assert told(trial, perfect(trial))[0]["answer"] == answer.strip("\u200b\u200d")


@pytest.mark.parametrize(("max_length", "stride"), [(32, 8), (64, 16), (64, 28), (128, 60)])
def test_every_token_of_a_long_passage_is_in_a_window_and_the_answer_in_one_whole(
    tried: Try, max_length: int, stride: int
) -> None:
    trial = tried(
        QuestionAnswering(stride=stride, answer_length=20), [asked(LONG, "in Zürich 😀 on Monday")], max_length
    )
    table = trial.tokens.table("train").to_pylist()
    covered = {(b, e) for row in table for b, e in zip(row["begin"], row["end"], strict=True) if b >= 0}
    whole = tried(QuestionAnswering(stride=stride), [asked(LONG, None), asked(LONG, "Monday")], 500)
    assert covered == {
        (b, e) for row in whole.tokens.table("train").to_pylist() for b, e in zip(row["begin"], row["end"], strict=True)
        if b >= 0
    }  # fmt: skip
    assert any(row["label"] != [NULL, NULL] for row in table) and any(row["label"] == [NULL, NULL] for row in table)
    assert trial.tokens.read("tokens.json")["splits"]["train"]["longest"] <= max_length
    assert told(trial, perfect(trial))[0]["answer"] == "in Zürich 😀 on Monday"


def test_an_answer_that_no_window_holds_is_learned_nowhere(tried: Try) -> None:
    answer = " ".join(f"w{n}" for n in range(30))
    rows = [asked(f"{FILL} {answer} {FILL}", answer), asked("It is soup.", "soup")]
    trial = tried(QuestionAnswering(stride=8), rows, 32)
    targets = trial.tokens.table("train")["label"].to_pylist()
    assert targets[:-1] == [[NULL, NULL]] * (len(targets) - 1) and targets[-1] != [NULL, NULL]


def test_of_several_answers_the_first_is_learned_and_all_count(tried: Try) -> None:
    row = {"question": "Where?", "context": "In Bonn, not in Rome.", "answers": ["Rome", "Bonn"]}
    trial = tried(QuestionAnswering(stride=12), [row])
    assert told(trial, perfect(trial))[0]["answer"] == "Rome"
    begin = trial.tokens.table("train")["begin"].to_pylist()[0]
    bonn = np.zeros((len(begin), 2), np.float32)
    bonn[begin.index(3)] = SURE
    assert told(trial, bonn)[0]["answer"] == "Bonn"
    assert trial.monitor(bonn)["exact"] == 0
    assert questions.judge(trial.evidence(bonn))[0]["exact_match"] == 1


def test_a_question_of_many_tokens_leaves_half_of_the_window_to_the_passage(tried: Try) -> None:
    rows = [asked("It is soup, says Anna.", "soup", "what " * 100), asked("It is soup.", "soup")]
    trial = tried(QuestionAnswering(stride=8), rows, 32)
    assert trial.tokens.read("tokens.json")["splits"]["train"]["longest"] <= 32
    assert [answer["answer"] for answer in told(trial, perfect(trial))] == ["soup", "soup"]


@pytest.mark.parametrize("stride", [12, 13, 15, 16, 40])
def test_a_stride_that_leaves_a_long_question_no_window_is_refused(tried: Try, stride: int) -> None:
    rows = [asked(FILL, "filler 7", "what " * 100)]
    if stride < 13:
        assert tried(QuestionAnswering(stride=stride), rows, 32).tokens.splits()
        return
    with refusing(
        f"task.stride={stride}: must be below 13, what max_length=32 leaves beside half of it for the question"
    ):
        tried(QuestionAnswering(stride=stride), rows, 32)


def test_answers_of_more_tokens_than_allowed_are_not_given(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=12, answer_length=2), [asked("one two three four five", "two three four")])
    assert len(told(trial, perfect(trial))[0]["answer"].split()) <= 2
    assert told(tried(QuestionAnswering(stride=12, answer_length=3), [asked("one two three four five", "two three four")]),
                perfect(trial))[0]["answer"] == "two three four"  # fmt: skip


def test_the_answer_of_the_surest_window_is_given(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=8), [asked(LONG, "in Zürich 😀")], 40)
    features, table = trial.features, trial.tokens.table("train").to_pylist()
    logits = perfect(trial)
    wrong = next(n for n, row in enumerate(table) if row["label"] == [NULL, NULL])
    place = next(n for n, begin in enumerate(table[wrong]["begin"]) if begin >= 0)
    logits[features.starts[wrong] + place] = SURE - 1
    assert told(trial, logits)[0]["answer"] == "in Zürich 😀"
    logits[features.starts[wrong] + place] = SURE + 1
    assert told(trial, logits)[0]["answer"] == LONG[table[wrong]["begin"][place] : table[wrong]["end"][place]]


def test_the_best_answers_are_distinct_though_windows_share_them(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=24, candidates=5), [asked(LONG, "in Zürich 😀")], 64)
    assert sum(row != [NULL, NULL] for row in trial.tokens.table("train")["label"].to_pylist()) > 1
    (answer,) = told(trial, perfect(trial))
    found = [(each["start"], each["end"]) for each in (answer, *answer["candidates"])]
    assert len(found) == 5 == len(set(found))
    scores = [each["score"] for each in (answer, *answer["candidates"])]
    assert scores == sorted(scores, reverse=True) and sum(scores) == pytest.approx(1, abs=1e-4)


# No answer

MIXED = [asked("It is soup.", "soup"), asked("It is bread.", None), asked("We eat fish.", "fish"), asked(LONG, None)]


def test_questions_without_an_answer_get_none(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=16), MIXED)
    logits = perfect(trial)
    assert trial.monitor(logits)["exact"] == trial.monitor(logits)["f1"] == 1
    answers = told(trial, logits)
    assert [answer["answer"] for answer in answers] == ["soup", "", "fish", ""]
    assert answers[1]["start"] is None and answers[1]["end"] is None and answers[1]["score"] > 0.9
    scores, _ = questions.judge(trial.evidence(logits))
    assert scores["exact_match"] == scores["f1_answerable"] == scores["exact_unanswerable"] == 1


def test_the_threshold_is_the_one_that_gets_most_questions_right(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=16), MIXED)
    logits = perfect(trial)
    logits[[int(start) for start in trial.features.starts[:-1]]] += 15  # all are too sure of there being none
    assert [answer["answer"] for answer in told(trial, logits, {
        "null_threshold": 0.0, "candidates": 3, "answer_length": 30, "language": "en"})] == [""] * 4  # fmt: skip
    decision = trial.evidence(logits).decision
    assert 0 < decision["null_threshold"] < 60
    assert [answer["answer"] for answer in told(trial, logits)] == ["soup", "", "fish", ""]


def test_a_monitor_reads_answers_by_what_is_decided(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=16), MIXED)
    logits = perfect(trial)
    logits[[int(start) for start in trial.features.starts[:-1]]] += 15  # all are too sure of there being none
    assert trial.monitor(logits)["exact"] == 1  # by what is best for these
    at_zero = trial.task.monitor(logits, trial.features, trial.labels, {"null_threshold": 0.0})
    assert at_zero["exact"] == 0.5
    decision = trial.evidence(logits).decision
    assert trial.task.monitor(logits, trial.features, trial.labels, decision)["exact"] == 1


def test_no_threshold_goes_between_equal_margins_or_without_any() -> None:
    right, none = (1, 2), (0, 0)
    same = Candidates([(1.0, *right)], 3.0)
    assert best_threshold([same] * 3, [right, none, none]) < 2  # two of three: to answer the first alone cannot be had
    assert best_threshold([same] * 3, [right, right, none]) > 2
    assert best_threshold([Candidates([], 1.0)], [none]) == 0


def test_the_best_guess_is_told_also_where_no_answer_is_given(tried: Try) -> None:
    trial = tried(QuestionAnswering(stride=12), MIXED[:2])
    logits = perfect(trial)
    row = trial.tokens.table("train").to_pylist()[1]
    place = row["begin"].index(MIXED[1]["context"].index("bread"))
    logits[trial.features.starts[1] + place] = 3
    answer = told(trial, logits)[1]
    assert answer["answer"] == "" and answer["candidates"][0]["answer"] == "bread"


@pytest.mark.parametrize("language", ["zh", ""])
def test_chinese_answers_are_judged_as_cmrc_does(tried: Try, language: str) -> None:
    trial = tried(
        QuestionAnswering(stride=12, language=language),
        [asked("我在北京见过，《他》。", "北京"), asked("我在上海。", "上海")],
    )
    logits = perfect(trial)
    row = trial.tokens.table("train").to_pylist()[0]
    logits[trial.features.starts[0] + row["label"][1] + 1, 1] = SURE + 5  # one character too many
    scores, _ = questions.judge(trial.evidence(logits))
    assert scores["exact_match"] == 0.5
    assert scores["f1"] == pytest.approx((2 * 2 / 5 + 1) / 2, abs=1e-6)


def test_answers_in_a_script_that_tells_no_language_are_judged_as_squad_does(tried: Try) -> None:
    rows = [asked("We met the man.", "the man"), asked("It is soup.", "soup")]
    for language, exact in (("", 1), ("en", 1), ("de", 0.5)):  # articles count, but in English
        trial = tried(QuestionAnswering(stride=12, language=language), rows)
        logits = perfect(trial)
        logits[trial.features.starts[0] + trial.tokens.table("train")["label"].to_pylist()[0][0], 0] = 0
        logits[trial.features.starts[0] + trial.tokens.table("train")["label"].to_pylist()[0][0] + 1, 0] = SURE
        assert questions.judge(trial.evidence(logits))[0]["exact_match"] == exact


def test_the_baseline_is_the_sentence_nearest_to_the_question() -> None:
    row = {
        "context": "Anna ate soup. The dog slept in Bonn! 我在北京。他走了。",
        "question": "Where did the dog sleep?",
    }
    assert questions._nearest_sentence(row) == "The dog slept in Bonn!"
    assert questions._nearest_sentence({**row, "question": "北京在哪?"}) == "我在北京。"
    assert questions._nearest_sentence({"context": "no end", "question": "?"}) == "no end"


def test_questions_to_answer_only_have_no_labels(tried: Try, minilm: Any) -> None:
    from pipeline.stages.tokenize import Encoder, load_tokenizer

    trial = tried(QuestionAnswering(stride=12), MIXED)
    tokenizer = load_tokenizer(minilm.path, "").backend_tokenizer
    encoder = Encoder(QuestionAnswering(stride=12), Tokenizers(tokenizer), 64, types=True)
    table = trial.corpus.table("train").drop_columns(["label", "answers"]).combine_chunks()
    found, _ = encoder.encode(table.to_batches()[0], first=7)
    assert found.schema.names == ["input_ids", "token_type_ids", "example", "begin", "end"]
    assert found["example"].to_pylist()[:3] == [7, 8, 9]
