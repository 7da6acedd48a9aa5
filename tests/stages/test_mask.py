"""Masking: what stands in a corpus in the place of personal data, in every form that a row can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Corpus
from pipeline.corpora.columns import column
from pipeline.corpora.rows import Row
from pipeline.corpora.source import Source
from pipeline.corpora.writing import Conversations, Written
from pipeline.inference import typed
from pipeline.privacy.mask import Masked, masked
from pipeline.stages.collect import Collection, collect
from pipeline.tasks import Task
from pipeline.tasks.choice import MultipleChoice
from pipeline.tasks.classification import Classification
from pipeline.tasks.questions import QuestionAnswering
from pipeline.tasks.roles import RoleLabelling
from pipeline.tasks.tagging import Tagging
from tests.conftest import Cli, form_of, quick, read_json, write_csv
from tests.stages.conftest import Gather, Notebook, assert_refused, laid, pairs, refusing, tagged, texts

MAIL, OTHER, PHONE = "zhang.san@example.com", "li@example.org", "138-1234-5678"
BOTH = ("email", "phone")


def example(task: Task, mask: tuple[Any, ...] = BOTH, **fields: Any) -> Any:
    """The one example of a row, masked."""
    (found,) = masked(form_of(task), mask).examples(Row(1, Path("a.jsonl"), 1, fields, {name: name for name in fields}))
    return found


def test_what_is_found_is_replaced_by_the_name_of_its_kind(tmp_path: Path, gather: Gather) -> None:
    rows = [(f"Write to {MAIL}, or call {PHONE}.", "x"), (f"联系我{MAIL}谢谢", "y"), ("4111 1111 1111 1111", "x")]
    write_csv(tmp_path / "train.csv", rows)
    write_csv(tmp_path / "validation.csv", rows)
    expected = ["Write to [EMAIL], or call [PHONE].", "联系我[EMAIL]谢谢", "4111 1111 1111 1111"]
    assert texts(gather(tmp_path, mask=BOTH)) == expected
    assert texts(gather(tmp_path)) == [text for text, _ in rows]


def test_one_value_is_one_word_and_another_value_another() -> None:
    found = example(Classification(), text=f"{MAIL}, {OTHER}, {MAIL.upper()}, {PHONE}, 13812345678 and 13912345678")
    assert found.fields["text"] == "[EMAIL], [EMAIL_2], [EMAIL], [PHONE], [PHONE] and [PHONE_2]"
    assert found.masked == ("email",) * 3 + ("phone",) * 3


def test_labels_stay_as_they_are(tmp_path: Path, gather: Gather) -> None:
    for name in ("train", "validation"):
        write_csv(tmp_path / f"{name}.csv", [(f"for {MAIL}", MAIL), (f"for {OTHER}", OTHER)])
    corpus = gather(tmp_path, mask=BOTH)
    assert corpus.read("labels.json") == [OTHER, MAIL]
    assert pairs(corpus) == [("for [EMAIL]", MAIL), ("for [EMAIL]", OTHER)]


def test_what_was_masked_is_counted_by_split_and_said(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    write_csv(
        tmp_path / "train.csv", [(f"{MAIL} {PHONE}", "x"), (f"{MAIL} {OTHER}", "y"), ("a", "x"), (f" {MAIL}", "y")]
    )
    write_csv(tmp_path / "validation.csv", [(f"or {PHONE}", "x"), ("c", "y")])
    report = gather(tmp_path, mask=("email", "phone", "iban")).read("data.json")
    assert report["mask"] == ["email", "phone", "iban"]
    assert report["splits"]["train"]["masked"] == {"email": 4, "phone": 1, "iban": 0}
    assert report["splits"]["validation"]["masked"] == {"email": 0, "phone": 1, "iban": 0}
    assert "masked: email 4, phone 2, iban 0" in heard.lines
    report = gather(tmp_path, mask=("email",), limit=2).read("data.json")
    assert report["splits"]["train"]["rows"] == 2, "and what is not taken is not counted"
    assert report["splits"]["train"]["masked"]["email"] < 4


def test_a_corpus_without_a_mask_says_nothing_of_one(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    for name in ("train", "validation"):
        write_csv(tmp_path / f"{name}.csv", [(MAIL, "x"), ("b", "y")])
    report = gather(tmp_path).read("data.json")
    assert "mask" not in report and "masked" not in report["splits"]["train"]
    assert not [line for line in heard.lines if "masked" in line]


def test_texts_that_differ_in_what_is_masked_are_repeats(tmp_path: Path, gather: Gather) -> None:
    write_csv(tmp_path / "train.csv", [(f"for {MAIL}", "x"), (f"for {OTHER}", "x"), ("b", "y")])
    write_csv(tmp_path / "validation.csv", [("for me@example.net", "x"), ("c", "y")])
    facts = gather(tmp_path, mask=BOTH).read("data.json")
    assert facts["splits"]["train"]["repeated"] == 1 and facts["shared"] == {"train and validation": 1}
    assert texts(gather(tmp_path, mask=BOTH, duplicates="drop")) == ["b"]


@pytest.mark.parametrize("mask", [(), ("phone",)])
def test_only_what_is_asked_for_is_masked(mask: tuple[Any, ...]) -> None:
    text = f"{MAIL} {PHONE}"
    assert example(Classification(), mask, text=text).fields["text"] == (f"{MAIL} [PHONE]" if mask else text)


# Words and tags


def words(*tokens: str, **more: Any) -> dict[str, Any]:
    return {"words": list(tokens), **more}


def test_spans_stand_where_they_stood_behind_what_was_replaced(tmp_path: Path, gather: Gather) -> None:
    text = f"Anna, {MAIL}, of Bonn and {PHONE} in Ulm"
    spans = [{"start": text.index(word), "end": text.index(word) + len(word), "label": "x"} for word in ("Bonn", "Ulm")]
    corpus = gather(laid(tmp_path, [{"text": text, "spans": spans}]), Tagging(), mask=BOTH)
    assert texts(corpus) == ["Anna, [EMAIL], of Bonn and [PHONE] in Ulm"]
    assert [pair for pair in tagged(corpus)[0] if pair[1] != "O"] == [("Bonn", "B-x"), ("Ulm", "B-x")]
    assert ("[EMAIL]", "O") in tagged(corpus)[0], "and what was replaced is one word"


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ([MAIL], [("[EMAIL]", "B-x")]),
        (["zhang.san"], [("[EMAIL]", "B-x")]),
        (["zhang", "example.com"], [("[EMAIL]", "B-x")]),
        ([f"to {MAIL}"], [("to", "B-x"), ("[EMAIL]", "I-x")]),
        (["com or"], [("[EMAIL]", "B-x"), ("or", "I-x")]),
        (["to zhang", "com or"], [("to", "B-x"), ("[EMAIL]", "I-x"), ("or", "I-x")]),
    ],
)  # fmt: skip
def test_a_span_that_touches_what_is_replaced_holds_all_of_it(
    tmp_path: Path, gather: Gather, marked: list[str], expected: list[tuple[str, str]]
) -> None:
    text = f"to {MAIL} or"
    spans = [{"start": text.index(word), "end": text.index(word) + len(word), "label": "x"} for word in marked]
    corpus = gather(laid(tmp_path, [{"text": text, "spans": spans}]), Tagging(), mask=BOTH)
    assert [pair for pair in tagged(corpus)[0] if pair[1] != "O"] == expected


def test_what_is_left_of_a_span_whose_beginning_was_anothers_begins_anew(tmp_path: Path, gather: Gather) -> None:
    text = f"to {MAIL} or"
    spans = [[0, 8, "x"], [text.index("com"), len(text), "y"]]
    corpus = gather(laid(tmp_path, [{"text": text, "spans": spans}]), Tagging(), mask=BOTH)
    assert tagged(corpus)[0] == [("to", "B-x"), ("[EMAIL]", "I-x"), ("or", "B-y")]


def test_a_kind_of_span_that_was_masked_away_is_not_counted(tmp_path: Path, gather: Gather) -> None:
    text = f"to {MAIL} or"
    spans = [[3, 8, "x"], [text.index("com"), text.index("com") + 3, "y"]]
    corpus = gather(
        laid(tmp_path, [{"text": text, "spans": spans}, {"text": "a b", "spans": [[0, 1, "y"]]}]), Tagging(), mask=BOTH
    )
    assert corpus.read("data.json")["splits"]["train"]["per_label"] == {"x": 1, "y": 1}


def test_words_in_lists_keep_their_tags(tmp_path: Path, gather: Gather) -> None:
    rows = [
        words("Call", "+44", "20", "7946", "0958", "or", f"<{MAIL}>", "Anna", tags=["O", "B-n", "I-n", "I-n", "I-n", "O", "O", "B-p"]),
        words("No", "number", tags=["O", "B-p"]),
    ]  # fmt: skip
    corpus = gather(laid(tmp_path, rows), Tagging(), mask=BOTH)
    assert tagged(corpus) == [
        [("Call", "O"), ("[PHONE]", "B-n"), ("or", "O"), ("<[EMAIL]>", "O"), ("Anna", "B-p")],
        [("No", "O"), ("number", "B-p")],
    ]


def test_words_of_one_character_are_read_together(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    rows = [
        words(*f"致电{number}找王芳{mail}", tags=["O"] * (3 + len(number)) + ["B-p", "I-p"] + ["O"] * len(mail))
        for number, mail in (("13812345678", MAIL), ("010-12345678", OTHER))
    ]
    corpus = gather(laid(tmp_path, rows), Tagging(), mask=BOTH)
    assert texts(corpus) == ["致电[PHONE]找王芳[EMAIL]"] * 2
    assert tagged(corpus)[0] == [
        ("致", "O"), ("电", "O"), ("[PHONE]", "O"), ("找", "O"), ("王", "B-p"), ("芳", "I-p"), ("[EMAIL]", "O")
    ]  # fmt: skip
    assert corpus.read("data.json")["splits"]["train"]["repeated"] == 1


def test_parts_of_speech_are_those_of_the_first_word(tmp_path: Path, gather: Gather) -> None:
    rows = [words("Call", "212", "-", "555", "-", "0123", "now", tags=["V", "N", "P", "N", "P", "N", "A"])]
    corpus = gather(laid(tmp_path, rows), Tagging(), mask=("phone",))
    assert tagged(corpus) == [[("Call", "V"), ("[PHONE]", "N"), ("now", "A")]]


def test_predicates_stay_who_they_are(tmp_path: Path, gather: Gather) -> None:
    sentence = ["From", "+44", "20", "7946", "0958", "Anna", "called", "and", "left"]
    frames = [
        {"predicate": p, "args": [{"start": 5, "end": 5, "label": "A0"}, {"start": 0, "end": 4, "label": "AM"}]}
        for p in (6, 8)
    ]
    corpus = gather(laid(tmp_path, [words(*sentence, frames=frames)]), RoleLabelling(), mask=BOTH)
    told = [("From", "B-AM"), ("[PHONE]", "I-AM"), ("Anna", "B-A0"), ("called", "O"), ("and", "O"), ("left", "O")]
    assert tagged(corpus) == [told, told]
    assert [told[row["predicate"]][0] for row in corpus.table("train").to_pylist()] == ["called", "left"]
    assert corpus.read("data.json")["splits"]["train"]["masked"] == {"email": 0, "phone": 1}, "the row has it once"


# Questions


PASSAGE = f"Anna ({MAIL}) lives in Bonn. Her phone is {PHONE}; she is 30."


def answered(corpus: Corpus) -> list[list[str]]:
    rows = corpus.table("train").to_pylist()
    for row in rows:
        for text, start in zip(row["answers"], row["label"], strict=True):
            assert row["context"][start : start + len(text)] == text
    return [row["answers"] for row in rows]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Anna", "Anna"),
        ("Bonn", "Bonn"),
        ("30", "30"),
        (PHONE, "[PHONE]"),
        ("1234", "[PHONE]"),
        (f"is {PHONE}", "is [PHONE]"),
        ("example.com) lives", "[EMAIL]) lives"),
        (f"{MAIL}) lives in Bonn. Her phone is 138", "[EMAIL]) lives in Bonn. Her phone is [PHONE]"),
    ],
)
def test_answers_stand_in_their_passage(tmp_path: Path, gather: Gather, answer: str, expected: str) -> None:
    told = [{"text": answer, "answer_start": PASSAGE.index(answer)}]
    rows = [
        {"question": "What?", "context": PASSAGE, "answers": told},
        {"question": "Why?", "context": PASSAGE, "answers": []},
    ]
    corpus = gather(laid(tmp_path, rows), QuestionAnswering(), mask=BOTH)
    assert answered(corpus) == [[expected], []]
    assert (
        corpus.table("train")["context"][0].as_py() == "Anna ([EMAIL]) lives in Bonn. Her phone is [PHONE]; she is 30."
    )


def test_what_a_question_names_is_called_the_same_in_the_passage() -> None:
    task = QuestionAnswering()
    found = example(task, question=f"Whose is {OTHER}?", context=f"Anna's is {MAIL}, Ben's {OTHER}.", answers=["Ben"])
    assert found.fields["question"] == "Whose is [EMAIL]?"
    assert found.fields["context"] == "Anna's is [EMAIL_2], Ben's [EMAIL]."
    assert found.fields["context"][found.target[0] :].startswith("Ben")


def test_choices_that_differ_in_what_is_masked_still_differ() -> None:
    found = example(MultipleChoice(), question="Write to?", choices=[MAIL, OTHER, "nobody"], answer=1)
    assert (found.fields["choices"], found.target) == (["[EMAIL]", "[EMAIL_2]", "nobody"], 1)


# Texts to write


WRITTEN = Written(((column("text", "text"), column("target", "target", target=True)),))
TALK = Conversations(((column("messages", "messages"),), (column("text", "text", target=True),)))


def gathered(tmp_path: Path, form: Any, *rows: dict[str, Any]) -> Corpus:
    out = tmp_path / "out"
    out.mkdir()
    source = Source(str(laid(tmp_path / "data", rows)), mask=BOTH)
    return collect(Collection(source, masked(form, source.mask)), out)


def test_targets_that_are_texts_are_masked_as_what_is_read(tmp_path: Path) -> None:
    corpus = gathered(tmp_path, WRITTEN, {"text": f"{MAIL} wrote to {OTHER}.", "target": [f"To {OTHER}", "Nobody"]})
    (row,) = corpus.table("train").to_pylist()
    assert (row["text"], row["label"]) == ("[EMAIL] wrote to [EMAIL_2].", ["To [EMAIL_2]", "Nobody"])
    assert corpus.read("data.json")["splits"]["train"]["written"]["longest"] == len("To [EMAIL_2]")


def test_all_that_is_said_in_a_conversation_is_masked(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": f"My number is {PHONE}."},
        {"role": "assistant", "content": "And?"},
        {"role": "user", "content": f"And {MAIL}."},
        {"role": "assistant", "content": f"Noted: {PHONE}, {MAIL}."},
    ]
    corpus = gathered(tmp_path, TALK, {"messages": messages})
    (row,) = corpus.table("train").to_pylist()
    assert row["said"] == ["My number is [PHONE].", "And?", "And [EMAIL]."]
    assert row["label"] == "Noted: [PHONE], [EMAIL]."
    assert corpus.read("data.json")["splits"]["train"]["masked"] == {"email": 2, "phone": 2}


def test_a_prompt_to_be_answered_is_told_masked() -> None:
    form = masked(Conversations(((column("prompt", "prompt"),),)), BOTH)
    (found,) = form.examples(typed(form, [f"Ring {PHONE}"]))
    assert (found.fields["said"], found.fields["prompt"]) == (["Ring [PHONE]"], "Ring [PHONE]")
    assert found.masked == ("phone",)


def test_texts_that_answer_nobody_are_masked(tmp_path: Path) -> None:
    assert gathered(tmp_path, TALK, {"text": f"Ring {PHONE}"}).table("train")["label"].to_pylist() == ["Ring [PHONE]"]


# Where it is wired


def test_a_new_text_is_masked_as_those_that_were_learned_from() -> None:
    for task in (Classification(), Tagging()):
        form = masked(form_of(task), BOTH)
        (found,) = form.examples(typed(form, [f"an {MAIL} here"]))
        assert found.fields["text"] == "an [EMAIL] here"
    assert (found.fields["begins"], found.fields["ends"]) == ([0, 3, 11], [2, 10, 15]), "as in a text with spans"


def test_a_form_masks_the_kinds_of_the_last_who_said_some() -> None:
    form = form_of(Classification())
    assert masked(form, ()) is form
    assert masked(masked(form, ("email",)), ()) is form
    assert masked(masked(form, ("email",)), ("phone",)) == Masked(form, ("phone",))


def test_a_source_that_masks_wants_a_form_that_does() -> None:
    with refusing(
        "mask=email,phone: the form masks something else; give the one that pipeline.privacy.mask.masked makes"
    ):
        Collection(Source("a.csv", mask=BOTH), form_of(Classification()))


def test_a_bad_row_is_quoted_without_what_is_masked(tmp_path: Path, gather: Gather) -> None:
    rows = [{"question": "What?", "context": f"a {MAIL} b", "answers": [PHONE]}]
    with refusing("train.jsonl, line 1: answer '[PHONE]' not in context 'a [EMAIL] b'"):
        gather(laid(tmp_path, rows), QuestionAnswering(), mask=BOTH)


@pytest.mark.slow
def test_a_model_masks_what_it_is_asked_though_nobody_says_so(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    settings = quick(reviews, tiny_model, "training.epochs=1", "corpus.mask=email,phone")
    done = cli("run", "sentiment", *settings)
    assert done.returncode == 0, done.stderr
    results = home / "results" / "sentiment"
    assert read_json(results / "model" / "decision.json")["mask"] == ["email", "phone"]
    assert "`[EMAIL]`, `[PHONE]` stand in the place of" in (results / "README.md").read_text("utf-8")
    done = cli("predict", "sentiment", "--text", f"the room of {MAIL} was kind")
    assert '"the room of [EMAIL] was kind"' in done.stdout, done.stderr


def test_the_command_line_masks_and_says_so(cli: Cli, home: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "data.csv", [(f"text {n} of {MAIL} {PHONE}", "xy"[n % 2]) for n in range(40)])
    settings = ("run", "sentiment", "--until", "collect", f"corpus.source={file}")
    done = cli(*settings, "corpus.mask=email,phone")
    assert done.returncode == 0, done.stderr
    assert "masked: email 40, phone 40" in done.stdout
    (train,) = (home / ".store").glob("collect/*/files/train.arrow")
    assert read_json(train.parent / "data.json")["mask"] == ["email", "phone"]
    assert MAIL.encode() not in train.read_bytes() and PHONE.encode() not in train.read_bytes()
    assert "found" in cli(*settings, "corpus.mask=email,phone").stdout
    assert_refused(cli(*settings, "corpus.mask=mail"), "corpus.mask", "email or phone or id or card or iban or secret")


def test_what_does_not_mask_does_not_depend_on_what_is_found(cli: Cli, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "data.csv", [(f"text {n}", "xy"[n % 2]) for n in range(40)])
    told = {}
    for mask in ("", "email"):
        settings = (f"corpus.source={file}", f"corpus.mask={mask}")
        assert cli("run", "sentiment", "--until", "collect", *settings).returncode == 0
        told[mask] = cli("why", "sentiment", "collect", *settings).stdout
    assert "phonenumbers" not in told[""] and "pipeline.privacy.phones:phones" not in told[""]
    assert "phonenumbers" in told["email"] and "pipeline.privacy.phones:phones" in told["email"]
