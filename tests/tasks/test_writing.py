"""Tasks whose models write: what is learned of a text or a conversation, and what scores say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.backends import predicted
from pipeline.errors import UserError
from pipeline.features import IGNORED, Features
from pipeline.metrics import translation
from pipeline.tasks import Evidence, Tokenizers, chat, seq2seq
from pipeline.tasks.causal import KIND as CAUSAL
from pipeline.tasks.causal import CausalLanguageModeling
from pipeline.tasks.chat import TEMPLATE
from pipeline.tasks.masked import KIND as MASKED
from pipeline.tasks.masked import MaskedLanguageModeling
from pipeline.tasks.seq2seq import Summarization, Translation
from recipes import translate
from tests.conftest import make_writer
from tests.tasks.conftest import ODD

END = {"eos_token": "</s>", "bos_token": "<s>"}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tokenizers import Tokenizer

    place = make_writer(tmp_path_factory.mktemp("llama"), "llama", ["the cat sat on the mat", "a dog ran"])
    return Tokenizer.from_file(str(place / "tokenizer.json"))


@pytest.fixture
def tokenizers(tokenizer: Any) -> Tokenizers:
    return Tokenizers(tokenizer, tokenizer, TEMPLATE, END, tokenizer.token_to_id("</s>"))


def talk(*turns: tuple[str, str], answer: str | None = None) -> pa.RecordBatch:
    columns: dict[str, Any] = {"roles": [[role for role, _ in turns]], "said": [[text for _, text in turns]]}
    if answer is not None:
        columns["label"] = [answer]
    return pa.RecordBatch.from_pydict(columns, pa.schema([
        pa.field(name, pa.string() if name == "label" else pa.list_(pa.string())) for name in columns
    ]))  # fmt: skip


def learned(tokenizers: Tokenizers, encoded: Any, row: int = 0) -> str:
    label = encoded.columns["label"][row]
    text: str = tokenizers.text.decode(label[label != IGNORED].tolist(), skip_special_tokens=False)
    return text


def beginning(tokenizers: Tokenizers) -> Tokenizers:
    """With a token that every text begins with, as Llama has it."""
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_str(tokenizers.text.to_str())
    first = [("<s>", tokenizer.token_to_id("<s>"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=first)
    return replace(tokenizers, text=tokenizer)


def test_of_a_text_all_is_learned_and_its_end(tokenizers: Tokenizers) -> None:
    found = CausalLanguageModeling().encode(beginning(tokenizers), talk(answer="a dog ran"), 64)
    assert learned(tokenizers, found) == "a dog ran</s>"
    assert found.columns["prompt"] == [0] and found.columns["bytes"] == [len("a dog ran")]


@pytest.mark.parametrize(("text", "behind"), [("the dog ran", " dog ran"), ("猫 ran", "猫 ran"), ("a", "")])
def test_nothing_is_asked_of_a_first_token_that_follows_from_nothing(
    tokenizers: Tokenizers, text: str, behind: str
) -> None:
    found = CausalLanguageModeling().encode(tokenizers, talk(answer=text), 64)
    assert found.columns["label"][0][0] == IGNORED and found.columns["label"][0][1] != IGNORED
    assert found.columns["bytes"] == [len(behind.encode())]


@pytest.mark.parametrize("begins", [False, True])
def test_a_model_that_knows_how_common_each_token_is_scores_as_the_baseline(
    tokenizers: Tokenizers, begins: bool
) -> None:
    known = beginning(tokenizers) if begins else tokenizers
    texts = ["the cat", "a dog ran", "the mat", "a dog sat on the mat"]
    rows = [CausalLanguageModeling().encode(known, talk(answer=text), 64) for text in texts]
    table = pa.table({
        "input_ids": [row.encodings[0].ids for row in rows], "example": range(len(rows)),
        **{name: [row.columns[name][0] for row in rows] for name in ("label", "bytes", "prompt")},
    }, pa.schema([("input_ids", pa.list_(pa.int32())), ("example", pa.int32()), ("label", pa.list_(pa.int32())),
                  ("bytes", pa.int32()), ("prompt", pa.int32())]))  # fmt: skip
    features = Features(table, 0)
    targets = predicted.causal(features, range(len(rows)))[1]
    asked = targets[targets != IGNORED]
    counts = np.bincount(asked) + 1
    surprise = np.log(counts.sum() / counts)
    each = [row[row != IGNORED] for row in targets]
    measured = np.array([[surprise[row].sum(), len(row), (row == counts.argmax()).sum()] for row in each], np.float32)
    task = CausalLanguageModeling()
    scores, _ = CAUSAL.judging.judge(
        Evidence(measured, features, pa.table({"label": texts}), [], task, {}, learned=features)
    )
    for name in ("perplexity", "bits_per_byte", "accuracy"):
        assert scores[f"baseline_{name}"] == pytest.approx(scores[name], rel=1e-5)


def test_of_a_conversation_only_what_the_assistant_says_is_learned(tokenizers: Tokenizers) -> None:
    turns = (("system", "be kind"), ("user", "who sat?"), ("assistant", "the cat"), ("user", "where?"))
    found = CausalLanguageModeling().encode(tokenizers, talk(*turns, answer="on the mat"), 256)
    assert learned(tokenizers, found) == "the cat</s>on the mat</s>"
    (prompt,), ids = found.columns["prompt"], found.encodings[0].ids
    asked = tokenizers.text.decode(ids[:prompt], skip_special_tokens=False)
    assert asked.endswith("### User:\nwhere?\n### Assistant:\n")
    assert tokenizers.text.decode(ids[prompt:]) == "on the mat"


def test_a_prompt_to_be_answered_ends_where_the_answer_begins(tokenizers: Tokenizers) -> None:
    task = CausalLanguageModeling()
    asked = task.encode(tokenizers, talk(("user", "where?")), 64)
    trained = task.encode(tokenizers, talk(("user", "where?"), answer="on the mat"), 64)
    (prompt,) = trained.columns["prompt"]
    assert asked.encodings[0].ids == trained.encodings[0].ids[:prompt]
    assert asked.columns["prompt"] == [prompt]


def test_a_model_without_a_template_goes_on_with_the_text(tokenizer: Any) -> None:
    plain = Tokenizers(tokenizer, tokenizer, "", END, 2)
    found = CausalLanguageModeling().encode(plain, talk(("user", "the cat")), 64)
    assert tokenizer.decode(found.encodings[0].ids) == "the cat"


@pytest.mark.parametrize("stride", [1, 3])
def test_a_long_text_is_learned_in_pieces_each_token_once(tokenizers: Tokenizers, stride: int) -> None:
    text = "the cat sat on the mat " * 20
    task = CausalLanguageModeling(stride=stride)
    found, whole = task.encode(tokenizers, talk(answer=text), 16), task.encode(tokenizers, talk(answer=text), 1000)
    assert len(found.encodings) > 3 and found.cut == 0
    assert max(len(row) for row in found.encodings) <= 16
    # The first token of a text has nothing before it; all others are asked for once, in one of the pieces.
    asked = [label[1:][label[1:] != IGNORED].tolist() for label in found.columns["label"]]
    assert [token for piece in asked for token in piece] == whole.encodings[0].ids[1:]


def test_a_prompt_that_is_too_long_loses_its_start_and_is_counted(tokenizers: Tokenizers) -> None:
    found = CausalLanguageModeling().encode(tokenizers, talk(("user", "a dog ran " * 30), answer="the cat"), 40)
    (prompt,), ids = found.columns["prompt"], found.encodings[0].ids
    assert found.cut == 1 and len(ids) == 40
    assert learned(tokenizers, found) == "the cat</s>"
    assert tokenizers.text.decode(ids[prompt:]) == "the cat"
    assert tokenizers.text.decode(ids[:prompt]).endswith("### Assistant:\n")


ANSWERS = ("das schöne Sofa 猫 👩‍👩‍👧", "auf der Matte")
TALK = (("user", "wer saß?"), ("assistant", ANSWERS[0]), ("user", "und wo?"))


def test_the_bytes_of_a_conversation_are_those_of_all_that_the_assistant_says(tokenizers: Tokenizers) -> None:
    found = CausalLanguageModeling().encode(tokenizers, talk(*TALK, answer=ANSWERS[1]), 256)
    assert learned(tokenizers, found) == "".join(f"{answer}</s>" for answer in ANSWERS)
    assert found.columns["bytes"] == [sum(len(answer.encode()) for answer in ANSWERS)]


@pytest.mark.parametrize("most", [90, 60, 30])
def test_bytes_that_a_row_has_no_room_for_are_not_counted(tokenizers: Tokenizers, most: int) -> None:
    turns = (("user", "who?"), ("assistant", "the cat " * 9), ("user", "where?"))
    found = CausalLanguageModeling().encode(tokenizers, talk(*turns, answer="on the mat " * 20), most)
    assert found.cut == 1
    assert found.columns["bytes"] == [len(learned(tokenizers, found).replace("</s>", ""))]


def test_the_first_token_of_a_row_follows_from_nothing_and_has_no_bytes(tokenizers: Tokenizers) -> None:
    bare = replace(tokenizers, template="{% for m in messages %}{{ m['content'] }}{% endfor %}")
    turns = (("assistant", "the cat sat on the mat " * 9), ("user", ""))
    found = CausalLanguageModeling().encode(bare, talk(*turns, answer="a dog"), 20)
    label, text = found.columns["label"][0], learned(bare, found)
    assert label[0] == IGNORED and (label[1:] != IGNORED).all()
    assert found.columns["bytes"] == [len(text)]


def test_a_character_of_several_tokens_has_its_bytes_once(tokenizers: Tokenizers) -> None:
    counts = []
    for most in (2, 3, 4, 5):  # one token of the prompt, and the first of the answer
        found = CausalLanguageModeling().encode(tokenizers, talk(("user", "who?"), answer="猫"), most)
        counts += found.columns["bytes"]
    assert counts == [0, 0, 3, 3], "three tokens, and the end"


def test_unknown_words_have_their_bytes_and_what_a_template_writes_has_none() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    known = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "the": 2}, "<unk>"))
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    known.add_special_tokens(["<unk>", "</s>"])
    found = CausalLanguageModeling().encode(
        Tokenizers(known, known, TEMPLATE, END, 1), talk(("user", "who?"), answer="the Kätzchen"), 64
    )
    assert found.columns["label"][0][-3:].tolist() == [2, 0, 1]
    assert found.columns["bytes"] == [len("the Kätzchen".encode())]


@pytest.mark.parametrize("stride", [1, 3])
def test_the_pieces_of_a_long_text_have_each_of_its_bytes_once(tokenizers: Tokenizers, stride: int) -> None:
    text = "</s>".join(ODD)  # of a text all is text
    tokenizers = beginning(tokenizers)
    found = CausalLanguageModeling(stride=stride).encode(tokenizers, talk(answer=text), 16)
    assert len(found.encodings) > 3 and sum(found.columns["bytes"]) == len(text.encode())


def test_bits_per_byte_are_of_what_is_learned_however_long_the_answer_is() -> None:
    found = evidence(CausalLanguageModeling(), {"label": ["an answer that was cut"]}, [])
    scores, _ = CAUSAL.judging.judge(replace(found, learned=found.features))
    assert scores["bits_per_byte"] == pytest.approx(8 / np.log(2) / 6, abs=1e-6)
    assert scores["baseline_bits_per_byte"] == pytest.approx(np.log2(3 / 2) / 6, abs=1e-6)


def test_a_template_that_changes_what_was_said_is_refused(tokenizer: Any) -> None:
    template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    odd = Tokenizers(tokenizer, tokenizer, template, END, 2)
    with pytest.raises(UserError, match="the chat template of the base model changes what was said before"):
        CausalLanguageModeling().encode(odd, talk(("user", "who?"), answer="the cat"), 64)


def test_a_template_that_refuses_a_role_says_so() -> None:
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    with pytest.raises(UserError, match="refuses turns of system, user: no system role"):
        chat.render(template, [("system", "be kind"), ("user", "who?")], {})


@pytest.mark.parametrize("template", [TEMPLATE, "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}{{ messages | tojson }}"])  # fmt: skip
@pytest.mark.parametrize("ask", [True, False])
def test_conversations_look_as_transformers_lays_them_out(template: str, ask: bool, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    known = AutoTokenizer.from_pretrained(make_writer(tmp_path / "llama", "llama"))
    known.chat_template = template
    turns = [("user", " who? é <b>"), ("assistant", "the cat"), ("user", "where?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    wanted = known.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
    assert chat.render(template, turns, END, ask=ask) == wanted


def test_targets_end_with_the_token_that_ends_them_and_cuts_are_counted(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(make_writer(tmp_path / "t5", "t5") / "tokenizer.json"))
    pair = pa.RecordBatch.from_pydict({"text": ["the film", "the soup " * 9], "label": [["was warm", "other"], ["x"]]})
    found = Summarization(prefix="sum: ").encode(Tokenizers(tokenizer, tokenizer), pair, 12)
    assert tokenizer.decode(found.encodings[0].ids) == "sum: the film"
    assert tokenizer.decode(found.columns["label"][0], skip_special_tokens=False) == "was warm</s>"
    assert found.cut == 1


def evidence(task: Any, corpus: dict[str, Any], written: list[str], logits: Any = ((8.0, 4, 2),)) -> Evidence:
    """A row of one token and six bytes for each example."""
    count = len(corpus["label"] if "label" in corpus else corpus["text"])
    rows = pa.table({"input_ids": pa.array([[1]] * count, pa.list_(pa.int32())), "example": pa.array(range(count), pa.int32()),
                     "label": pa.array([[1]] * count, pa.list_(pa.int32())), "bytes": pa.array([6] * count, pa.int32())})  # fmt: skip
    numbers = np.resize(np.asarray(logits, np.float32), (count, 3))
    return Evidence(numbers, Features(rows, 0), pa.table(corpus), [], task, {}, extra=pa.table({"text": written}))


TEXTS = {
    "en": "The cat sat on the mat.",
    "zh": "猫坐在垫子上，很高兴。",
    "de": "Die Katze saß auf der Matte.",
    "ja": "今日は天気がいいです。",
}


@pytest.mark.parametrize("language", ["en", "zh", "de"])
@pytest.mark.parametrize("judge", [seq2seq.judge_summaries, seq2seq.judge_translations])
def test_what_is_written_as_wanted_scores_a_hundred(judge: Callable[..., Any], language: str) -> None:
    task = Translation(language=language) if judge is seq2seq.judge_translations else Summarization(language=language)
    corpus = {"text": ["something else"], "label": [["another", TEXTS[language]]]}
    scores, details = judge(evidence(task, corpus, [TEXTS[language]]))
    first = next(iter(scores))
    assert scores[first] == pytest.approx(100)
    assert details["intervals"][first] == pytest.approx([100, 100])
    assert scores[f"baseline_{first}"] < 50
    assert scores["perplexity"] == pytest.approx(np.exp(2), rel=1e-5)


def test_the_better_of_two_leads_is_the_baseline_of_summaries() -> None:
    text = "The cat sat on the mat. A dog ran by. It rained all day. Nobody came."
    scores, details = seq2seq.judge_summaries(
        evidence(Summarization(language="en"), {"text": [text], "label": [["The cat sat on the mat."]]}, ["nothing"])
    )
    assert details["baseline"] == "the first sentence"
    assert scores["baseline_rougeL"] == pytest.approx(100)
    assert details["leads"]["the first three sentences"]["rougeL"] < 100


def test_answers_to_prompts_are_judged_where_there_are_some() -> None:
    corpus = {"roles": [["user"], []], "said": [["who?"], []], "label": ["the cat", "a text"]}
    found = evidence(CausalLanguageModeling(language="en"), corpus, ["the cat", ""])
    extra = pa.table({"text": pa.array(["the cat", None], pa.string())})
    some = Evidence(found.logits, found.features, found.corpus, [], found.task, {}, extra=extra)
    scores, _ = CAUSAL.judging.judge(some)
    assert scores["exact_match"] == 100 and scores["rougeL"] == pytest.approx(100)
    assert [sorted(answer) for answer in CAUSAL.judging.decode(some)] == [["written"], ["loss", "tokens"]]


def test_answers_in_japanese_are_judged_without_what_bleu_of_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "find_spec", lambda name: None)
    corpus = {"roles": [["user"]], "said": [["何？"]], "label": [TEXTS["ja"]]}
    scores, details = CAUSAL.judging.judge(evidence(CausalLanguageModeling(), corpus, [TEXTS["ja"]]))
    assert [scores[name] for name in ("chrf", "rougeL", "exact_match")] == pytest.approx([100, 100, 100])
    assert details["intervals"]["chrf"] == pytest.approx([100, 100])


def test_translations_are_told_apart_by_their_script_where_no_language_is_set() -> None:
    task = translate.Config().task
    corpus = {"text": ["something else"], "label": [[TEXTS["zh"]]]}
    scores, details = seq2seq.judge_translations(evidence(task, corpus, [TEXTS["zh"][:-4] + "。"]))
    assert "tok:zh" in details["signatures"]["bleu"] and 50 < scores["bleu"] < 100


def test_pseudo_perplexity_is_told_beside_that_of_hidden_tokens() -> None:
    found = evidence(MaskedLanguageModeling(), {"text": ["a b"]}, ["-"])
    some = Evidence(
        found.logits, found.features, found.corpus, [], found.task, {}, extra=pa.table({"loss": [6.0], "tokens": [2]})
    )
    scores, details = MASKED.judging.judge(some)
    assert scores["pseudo_perplexity"] == pytest.approx(np.exp(3), rel=1e-5)
    assert details["pseudo_perplexity"] == {"texts": 1, "tokens": 2}


def test_the_baseline_of_hidden_tokens_expects_none_that_are_never_hidden() -> None:
    kinds = {"input_ids": pa.int32(), "label": pa.int32(), "special": pa.int8()}
    rows = {"input_ids": [[8, 5, 6, 9]], "label": [[IGNORED, 5, IGNORED, IGNORED]], "special": [[1, 0, 0, 1]]}
    lists = {name: pa.array(rows[name], pa.list_(kind)) for name, kind in kinds.items()}
    features = Features(pa.table({**lists, "example": pa.array([0], pa.int32())}), 0)
    found = evidence(MaskedLanguageModeling(), {"text": ["a b"]}, ["-"])
    scores, _ = MASKED.judging.judge(replace(found, features=features, learned=features, extra=None))
    # Seven ids, 0 to 6, each counted once more than it was seen: 5 has two of nine.
    assert scores["baseline_perplexity"] == pytest.approx(9 / 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Translation(text="a", target="a"), "text and target are both the column 'a'"),
        (lambda: Summarization(max_target_length=3), "max_target_length is a number of tokens, at least 4"),
        (lambda: Translation(target_vocabulary=10), "target_vocabulary is a number of tokens, at least 300"),
        (lambda: CausalLanguageModeling(stride=0), "stride is a number of tokens, at least 1"),
        (lambda: CausalLanguageModeling(prompt="x", response="x"), "must be six columns"),
        (lambda: MaskedLanguageModeling(masked=1.0), "masked is a share of the tokens"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()


def test_a_stride_as_long_as_a_piece_is_refused(tokenizers: Tokenizers) -> None:
    with pytest.raises(UserError, match=r"task\.stride=16: must be below max_length=16"):
        CausalLanguageModeling(stride=16).encode(tokenizers, talk(answer="a"), 16)
