"""Texts to write: from another text, in a conversation, or nothing but texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Corpus, Model, Predictions
from pipeline.corpora.columns import column, unlabelled
from pipeline.corpora.forms import Form
from pipeline.corpora.rows import read
from pipeline.corpora.source import Source
from pipeline.corpora.writing import Conversations, Plain, Written
from pipeline.inference import typed
from pipeline.stages.collect import Collection, collect
from pipeline.stages.evaluate import Evaluation, evaluate
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks import Judging
from pipeline.tasks.classification import Classification, monitor
from tests.conftest import ROOT, form_of, write_csv
from tests.stages.conftest import Gather, Notebook, laid, put, refusing, texts

Collect = Callable[..., Corpus]
TEXT = column("text", "text", "document", "source")
WRITTEN = Written(((TEXT, column("target", "target", "summary", target=True)),))
PLAIN = Plain(((column("text", "text", "content"),),))
PROMPTED = (
    column("prompt", "prompt", "instruction", "question"), column("input", "input", optional=True),
    column("system", "system", optional=True), column("response", "response", "output", "answer", target=True),
)  # fmt: skip
TALK = Conversations(
    (PROMPTED, (column("messages", "messages", "conversations"),), (column("text", "text", target=True),))
)


@pytest.fixture
def made(new_folder: Callable[[], Path]) -> Collect:
    """``made(source, form, skip=…, **settings)``: the corpus that ``collect`` makes of a source."""

    def call(source: Path, form: Form, *, skip: bool = False, **settings: Any) -> Corpus:
        return collect(Collection(Source(str(source), **settings), form, skip), new_folder())

    return call


def labels(corpus: Corpus, split: str = "train") -> list[Any]:
    found: list[Any] = corpus.table(split)["label"].to_pylist()
    return found


TARGETS: dict[str, tuple[list[dict[str, Any]], list[list[str]]]] = {
    "texts": ([{"text": "a", "target": " b "}, {"text": "c", "target": "[d] e"}], [["b"], ["[d] e"]]),
    "lists": ([{"text": "a", "target": ["b", " ", "c"]}, {"text": "d", "target": ["e"]}], [["b", "c"], ["e"]]),
    "other names": ([{"document": "a", "summary": "b"}], [["b"]]),
    "JSON in a text": ([{"text": "a", "target": '["b", "c"]'}], [["b", "c"]]),
    "Chinese": ([{"text": "今天下雨。", "target": ["雨天", "下雨了"]}], [["雨天", "下雨了"]]),
}


@pytest.mark.parametrize("shape", TARGETS)
def test_what_is_to_be_written_is_one_text_or_several(tmp_path: Path, made: Collect, shape: str) -> None:
    rows, expected = TARGETS[shape]
    corpus = made(laid(tmp_path / "data", rows), WRITTEN)
    assert labels(corpus) == expected
    assert str(corpus.table("train").schema) == "text: string\nlabel: list<item: string>\n  child 0, item: string\nrow: int64"  # fmt: skip
    assert corpus.read("labels.json") == []


def test_several_right_texts_stand_in_a_cell_as_json(tmp_path: Path, made: Collect) -> None:
    for split in ("train", "validation"):
        rows = [("one", '["a, b", "c"]'), ("two", "plain"), ("three", "[sic] plain")]
        write_csv(tmp_path / f"{split}.csv", rows, ("text", "target"))
    assert labels(made(tmp_path, WRITTEN)) == [["a, b", "c"], ["plain"], ["[sic] plain"]]


def test_lists_of_parquet_are_read(tmp_path: Path, made: Collect) -> None:
    for split in ("train", "validation"):
        pq.write_table(pa.table({"text": ["a", "b"], "target": [["c", "d"], ["e"]]}), tmp_path / f"{split}.parquet")
    assert labels(made(tmp_path, WRITTEN)) == [["c", "d"], ["e"]]


BAD_TARGETS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "no target; fill it in, or set task.invalid=skip"),
    "blank": (" ", "no target; fill it in"),
    "no texts": ([], "no target; fill it in"),
    "blank texts": (["", " "], "no target; fill it in"),
    "a number": (5, "column 'target' holds a number (5), not text; name the column of the target with task.target=NAME"),
    "numbers": ([1, 2], "column 'target' holds a list ([1, 2]), not a list of texts; name the column of the target"),
    "an object": ({"en": "a"}, "column 'target' holds an object ({'en': 'a'}), not text"),
    "half a character": ("a \ud83d", "column 'target' holds half a character"),
}  # fmt: skip


def spoiled(folder: Path, good: dict[str, Any], bad: dict[str, Any]) -> Path:
    """A folder whose second line is bad."""
    lines = "".join(json.dumps(row) + "\n" for row in (good, bad))
    put(folder / "train.jsonl", lines)
    put(folder / "validation.jsonl", lines.splitlines()[0])
    return folder


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_bad_target_is_refused_with_its_line_or_left_out(tmp_path: Path, made: Collect, case: str) -> None:
    value, said = BAD_TARGETS[case]
    folder = spoiled(tmp_path / "data", {"text": "a", "target": "b"}, {"text": "c", "target": value})
    with refusing(f"{folder / 'train.jsonl'}, line 2: {said}"):
        made(folder, WRITTEN)
    corpus = made(folder, WRITTEN, skip=True)
    assert texts(corpus) == ["a"]
    (skipped,) = corpus.read("data.json")["skipped"]
    assert f"line 2: {said}" in skipped


def test_rows_without_a_text_are_left_out_whatever_their_target(tmp_path: Path, made: Collect) -> None:
    rows = [{"text": "a", "target": "b"}, {"text": " ", "target": ""}, {"text": None, "target": 5}]
    corpus = made(laid(tmp_path / "data", rows), WRITTEN)
    assert texts(corpus) == ["a"] and corpus.read("data.json")["empty"] == 4


def test_a_corpus_of_texts_to_write_says_how_long_they_are(tmp_path: Path, made: Collect, heard: Notebook) -> None:
    rows = [{"text": "a" * n, "target": ["b" * (n % 7), "other"]} for n in range(1, 7)]
    corpus = made(laid(tmp_path / "data", rows), WRITTEN)
    facts = corpus.read("data.json")["splits"]["train"]
    assert facts["characters"] == {"shortest": 1, "median": 4, "95%": 6, "longest": 6, "mean": 3.5}
    assert facts["written"] == facts["characters"]
    assert facts["per_label"] == {} and facts["contradicting"] == 0
    assert heard.lines[0] == "train: 6 rows (characters to write: mean 3.5, longest 6)"


def test_rows_of_one_text_stay_in_one_split_and_are_counted(tmp_path: Path, made: Collect) -> None:
    rows = [(f"text {n // 4}", f"target {n}") for n in range(160)]
    corpus = made(write_csv(tmp_path / "data.csv", rows, ("text", "target")), WRITTEN)
    report = corpus.read("data.json")
    assert [report["splits"][split]["rows"] for split in ("train", "validation", "test")] == [128, 16, 16]
    assert report["shared"] == {} and report["splits"]["train"]["repeated"] == 96
    dropped = made(tmp_path / "data.csv", WRITTEN, duplicates="drop")
    assert len(set(texts(dropped))) == dropped.table("train").num_rows == 32


@pytest.mark.parametrize("form", [WRITTEN, PLAIN, TALK], ids=lambda form: type(form).__name__)
def test_texts_have_no_labels_to_name(tmp_path: Path, made: Collect, form: Form) -> None:
    row = {"text": "a", "target": "b"}
    with refusing("corpus.labels=a,b: this task learns texts, not labels; leave it out"):
        made(laid(tmp_path / "data", [row]), form, labels=("a", "b"))
    corpus = made(laid(tmp_path / "data", [row], ["a", "b"]), form)
    assert corpus.read("labels.json") == []


def test_a_corpus_of_texts_alone_has_no_label(tmp_path: Path, made: Collect, heard: Notebook) -> None:
    rows = [
        {"content": " 你好。 ", "label": "x"},
        {"content": ""},
        {"content": "b\nb", "other": 5},
        {"content": "B\nb"},
    ]
    corpus = made(laid(tmp_path / "data", rows), PLAIN)
    assert corpus.table("train").to_pylist() == [
        {"text": "你好。", "row": 1}, {"text": "b\nb", "row": 3}, {"text": "B\nb", "row": 4}
    ]  # fmt: skip
    report = corpus.read("data.json")
    assert report["labels"] == corpus.read("labels.json") == []
    assert "written" not in report["splits"]["train"] and report["splits"]["train"]["repeated"] == 1
    assert heard.lines[:2] == ["train: 3 rows", "train: 1 rows repeat an earlier text"]


DOCUMENTS = ["第一段很好看。\n还有一行。", "他说：“很好”。", "😀 我们也喜欢。"]
BETWEEN = ["\n\n", "\r\n \t\r\n\r\n", "\n\u3000\n"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
@pytest.mark.parametrize("between", BETWEEN, ids=["a line", "lines with blanks", "a full-width blank"])
@pytest.mark.parametrize("form", [PLAIN, TALK], ids=lambda form: type(form).__name__)
def test_a_text_file_holds_texts_with_blank_lines_between(
    tmp_path: Path, made: Collect, encoding: str, between: str, form: Form
) -> None:
    for split in ("train", "validation"):
        put(tmp_path / f"{split}.txt", "\n\n" + between.join(DOCUMENTS) + "\n", encoding)
    corpus = made(tmp_path, form)
    assert corpus.table("train")["text" if form is PLAIN else "label"].to_pylist() == DOCUMENTS
    assert corpus.table("train")["row"].to_pylist() == [1, 2, 3]


def test_one_text_file_is_split(tmp_path: Path, made: Collect) -> None:
    file = put(tmp_path / "book.txt", "\n\n".join(f"Paragraph {n}\nof many." for n in range(100)))
    corpus = made(file, PLAIN)
    assert [corpus.table(split).num_rows for split in corpus.splits()] == [80, 10, 10]
    assert "Paragraph 7\nof many." in {text for split in corpus.splits() for text in texts(corpus, split)}


def test_a_source_of_text_files_counts_by_their_content(tmp_path: Path) -> None:
    file = put(tmp_path / "data" / "train.txt", "a")
    for place, part in ((file, "all"), (file.parent, "train")):
        assert Source(str(place)).depends()["source"] == {"files": {part: [(".txt", file)]}, "labels": None}
    table = put(tmp_path / "data" / "train.csv", "text,target\na,b\n")
    assert Source(str(file.parent)).depends()["source"]["files"] == {"train": [(".csv", table)]}


def test_a_folder_of_text_files_is_one_source(tmp_path: Path, made: Collect) -> None:
    for name in ("b", "a"):
        put(tmp_path / "data" / f"{name}.txt", "\n\n".join(f"{name} {n}" for n in range(20)))
    corpus = made(tmp_path / "data", TALK)
    found = sorted(label for split in corpus.splits() for label in labels(corpus, split))
    assert found == sorted(f"{name} {n}" for name in "ab" for n in range(20))


@pytest.mark.parametrize("form", [PLAIN, TALK], ids=lambda form: type(form).__name__)
def test_folders_of_texts_are_read_without_their_labels(tmp_path: Path, made: Collect, form: Form) -> None:
    for split in ("train", "validation"):
        for label in ("good", "bad"):
            put(tmp_path / split / label / "1.txt", f"a {label} one\n\nof two parts\n")
    name = "text" if form is PLAIN else "label"
    assert made(tmp_path, form).table("train")[name].to_pylist() == [
        "a bad one\n\nof two parts", "a good one\n\nof two parts"
    ]  # fmt: skip


@pytest.mark.parametrize("form", [WRITTEN, form_of(Classification())], ids=["a text to write", "a label"])
def test_text_files_are_refused_where_more_than_texts_is_needed(tmp_path: Path, made: Collect, form: Form) -> None:
    file = put(tmp_path / "data" / "train.txt", "a\n\nb\n")
    with refusing(f"{file}: cannot read .txt; it reads .csv, ", "and folders of .txt"):
        made(file, form)
    with refusing(f"{file.parent}: no labelled text found in this folder, which holds train.txt"):
        made(file.parent, form)
    wanted = ",".join(column.name for column in form.layouts[0])
    with refusing(f"{file}: holds texts alone, but this task wants {wanted}; give it .csv or .jsonl with these"):
        next(read([file], form.layouts))


def test_a_text_file_without_text_is_refused(tmp_path: Path, made: Collect) -> None:
    file = put(tmp_path / "book.txt", "\n \n")
    with refusing(f"{file}: no rows with text to train on"):
        made(file, PLAIN)


def test_a_text_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path, made: Collect) -> None:
    file = put(tmp_path / "book.txt", "plain\n\nLa crème brûlée était gâtée\n", "cp1252")
    with refusing(f"{file}, line 3", "not UTF-8", "corpus.encoding=cp1252"):
        made(file, PLAIN)
    text = "\n\n".join(f"crème {n}" for n in range(20))
    assert "crème 0" in texts(made(put(file, text, "cp1252"), PLAIN, encoding="cp1252"))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "Be kind."}
SHAREGPT = [{"from": "system", "value": "Be kind."}, {"from": "human", "value": " Hi "}, {"from": "gpt", "value": "Ho"}]
KIND = {"roles": ["system", "user"], "said": ["Be kind.", "Hi"], "label": "Ho"}
SHORT = {"roles": ["user"], "said": ["Hi"], "label": "Ho"}
LONG = {"roles": ["user", "assistant", "user"], "said": ["a", "b", "c"], "label": "d"}
TALKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "prompt and response": ({"prompt": " Hi", "response": "Ho "}, SHORT),
    "question and answer": ({"question": "Hi", "answer": "Ho"}, SHORT),
    "instruction and output": ({"instruction": "Hi", "output": "Ho"}, SHORT),
    "an empty input and no system": ({"instruction": "Hi", "input": "", "output": "Ho", "system": None}, SHORT),
    "with an input": (
        {"instruction": "Hi", "input": "there", "output": "Ho", "text": "Below is an instruction"},
        {"roles": ["user"], "said": ["Hi\n\nthere"], "label": "Ho"},
    ),
    "with a system": ({"system": "Be kind.", "prompt": "Hi", "response": "Ho"}, KIND),
    "messages": ({"messages": [SYSTEM, user("Hi"), assistant("Ho")]}, KIND),
    "an empty system": ({"messages": [{"role": "system", "content": ""}, user("Hi"), assistant("Ho")]}, SHORT),
    "ShareGPT's": ({"conversations": SHAREGPT}, KIND),
    "JSON in a text": ({"messages": json.dumps(SHAREGPT)}, KIND),
    "several turns": ({"messages": [user("a"), assistant("b"), user("c"), assistant("d")], "prompt": "a"}, LONG),
    "a text": ({"text": " Once upon a time. "}, {"roles": [], "said": [], "label": "Once upon a time."}),
    "Chinese": (
        {"messages": [user("你好？"), assistant("好。")]}, {"roles": ["user"], "said": ["你好？"], "label": "好。"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", TALKS)
def test_a_conversation_may_be_written_in_every_way(tmp_path: Path, made: Collect, shape: str) -> None:
    row, expected = TALKS[shape]
    corpus = made(laid(tmp_path / "data", [row]), TALK)
    assert corpus.table("train").to_pylist() == [{**expected, "row": 1}]
    assert str(corpus.table("train").schema.field("roles").type) == "list<item: string>"
    assert corpus.read("labels.json") == []


def test_messages_of_tables_and_parquet_are_read(tmp_path: Path, made: Collect) -> None:
    talk = [user("Hi"), assistant("Ho")]
    for split in ("train", "validation"):
        write_csv(tmp_path / "table" / f"{split}.csv", [(json.dumps(talk),)], ("messages",))
        (tmp_path / "arrow").mkdir(exist_ok=True)
        pq.write_table(pa.table({"messages": [talk], "prompt": ["Hi"]}), tmp_path / "arrow" / f"{split}.parquet")
    for folder in ("table", "arrow"):
        assert made(tmp_path / folder, TALK).table("train").to_pylist() == [{**SHORT, "row": 1}]


def test_an_optional_column_is_asked_for_nowhere(tmp_path: Path, made: Collect) -> None:
    put(tmp_path / "empty.csv", "\n")
    with refusing("the first line must name the columns, such as prompt,response"):
        made(tmp_path / "empty.csv", TALK)
    put(tmp_path / "five.json", "5")
    with refusing('expected a list of objects, such as [{"prompt": …, "response": …}, …]'):
        made(tmp_path / "five.json", TALK)
    put(tmp_path / "words.conll", "a O\n")
    with refusing("holds words and tags, but this task wants prompt,response; give it"):
        made(tmp_path / "words.conll", TALK)
    put(tmp_path / "data" / "pos" / "1.txt", "a")
    with refusing("holds folders of texts, a folder a label, but this task wants prompt, response; give it"):
        made(tmp_path / "data", Conversations((PROMPTED,)))
    put(tmp_path / "half.csv", "instruction,input,system\na,b,c\n")
    with refusing("no column 'response'", "task.response=NAME") as _:
        made(tmp_path / "half.csv", TALK)


BAD_TALKS: dict[str, tuple[dict[str, Any], str]] = {
    "no response": ({"prompt": "a", "response": " "}, "no response; fill it in, or set task.invalid=skip"),
    "a prompt that is a list": ({"prompt": [user("a")], "response": "b"}, "column 'prompt' holds a list"),
    "no list": ({"messages": "Hi"}, "column 'messages' holds text ('Hi'), not a list; name the column of the messages with task.messages=NAME"),
    "nothing": ({"messages": None}, "column 'messages' holds nothing (None), not a list"),
    "no messages": ({"messages": []}, "the last message is by nobody; end with the answer to learn, by assistant, or set task.invalid=skip"),
    "no answer": ({"messages": [user("a"), assistant("b"), user("c")]}, "the last message is by user; end with the answer to learn"),
    "nobody asks": ({"messages": [assistant("a")]}, "no message by user right before the answer; add it, or set task.invalid=skip"),
    "only a system": ({"messages": [SYSTEM, assistant("a")]}, "no message by user right before the answer"),
    "two answers": ({"messages": [user("a"), assistant("b"), assistant("c")]}, "no message by user right before the answer"),
    "an empty message": ({"messages": [user(" "), assistant("b")]}, "message 1 is empty; fill it in, or set task.invalid=skip"),
    "an empty answer": ({"messages": [user("a"), {"role": "assistant", "content": None}]}, "message 2 is empty"),
    "an unknown role": (
        {"messages": [user("a"), {"role": "tool", "content": "b"}]},
        "message 2 is by 'tool', not one of system, user, assistant, human, gpt; correct it, or set task.invalid=skip",
    ),
    "a role that is none": ({"messages": [{"role": [1], "content": "b"}]}, "message 1 is by [1], not one of"),
    "no role": ({"messages": [{"content": "b"}]}, "message 1 is by None, not one of system, user"),
    "parts": ({"messages": [user("a"), {"role": "assistant", "content": [{"text": "b"}]}]}, "message 2 holds [{'text': 'b'}], not text; expected {\"role\""),
    "texts": ({"messages": ["a", "b"]}, "message 1 is 'a'; expected {\"role\": \"user\", \"content\": \"…\"}"),
    "half a character": ({"messages": [user("a"), assistant("\ud83d")]}, "column 'messages' holds half a character"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TALKS)
def test_a_bad_conversation_is_refused_with_its_line_or_left_out(tmp_path: Path, made: Collect, case: str) -> None:
    row, said = BAD_TALKS[case]
    folder = spoiled(tmp_path / "data", {"prompt": "Hi", "response": "Ho"}, row)
    with refusing(f"{folder / 'train.jsonl'}, line 2: {said}"):
        made(folder, TALK)
    corpus = made(folder, TALK, skip=True)
    assert corpus.table("train").to_pylist() == [{**SHORT, "row": 1}]
    assert len(corpus.read("data.json")["skipped"]) == 1


def test_a_bad_conversation_of_parquet_is_refused_with_its_row(tmp_path: Path, made: Collect) -> None:
    rows = [{"messages": [user("a"), assistant("b")]}, {"messages": [user("a")]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    with refusing(f"{tmp_path / 'data.parquet'}, row 2: the last message is by user"):
        made(tmp_path / "data.parquet", TALK)


def test_a_prompt_without_text_is_left_out(tmp_path: Path, made: Collect) -> None:
    rows = [{"prompt": "Hi", "response": "Ho"}, {"prompt": "", "response": ""}, {"prompt": None, "system": "a", "response": "b"}]  # fmt: skip
    corpus = made(laid(tmp_path / "data", rows), TALK)
    assert labels(corpus) == ["Ho"] and corpus.read("data.json")["empty"] == 4


def test_conversations_that_ask_the_same_stay_in_one_split(tmp_path: Path, made: Collect) -> None:
    rows = [(f"question {n // 4}", f"answer {n}") for n in range(160)]
    report = made(write_csv(tmp_path / "data.csv", rows, ("prompt", "response")), TALK).read("data.json")
    assert report["shared"] == {}
    assert report["splits"]["test"]["repeated"] == 12
    assert report["splits"]["train"]["written"]["longest"] == 10


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # A row of which nothing is to be learned, and what of it is read to be answered.
    "a prompt": ({"prompt": " Hi "}, {"roles": ["user"], "said": ["Hi"], "prompt": "Hi"}),
    "an input": (
        {"instruction": "a", "input": "b", "system": "c"},
        {"roles": ["system", "user"], "said": ["c", "a\n\nb"], "prompt": "a\n\nb"},
    ),
    "messages": ({"messages": [SYSTEM, user("Hi")]}, {"roles": ["system", "user"], "said": ["Be kind.", "Hi"], "prompt": "Hi"}),
    "messages with an answer": ({"messages": [user("Hi"), assistant("Ho")]}, {"roles": ["user"], "said": ["Hi"], "prompt": "Hi"}),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_a_conversation_to_be_answered_ends_with_the_user(tmp_path: Path, case: str) -> None:
    row, expected = ASKED[case]
    file = laid(tmp_path / "data", [row]) / "train.jsonl"
    (example,) = (e for found in read([file], unlabelled(TALK.layouts)) for e in TALK.examples(found))
    assert example.fields == expected and example.key


def test_a_conversation_that_does_not_end_with_the_user_is_not_answered(tmp_path: Path) -> None:
    file = laid(tmp_path / "data", [{"messages": [user("a"), assistant("b"), SYSTEM]}]) / "train.jsonl"
    (row,) = read([file], unlabelled(TALK.layouts))
    with refusing(f"{file}, line 1: no message by user right before the answer"):
        list(TALK.examples(row))


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (WRITTEN, {"text": "Hi"}),
        (PLAIN, {"text": "Hi"}),
        (TALK, {"roles": ["user"], "said": ["Hi"], "prompt": "Hi"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_text_is_typed(form: Form, fields: dict[str, Any]) -> None:
    (example,) = form.examples(typed(form, ["Hi"]))
    assert example.fields == fields and not example.target
    with refusing("--text is given 2 times; this task wants"):
        typed(form, ["a", "b"])


def test_texts_to_be_read_are_read_without_what_is_to_be_written(tmp_path: Path) -> None:
    file = laid(tmp_path / "data", [{"document": " a "}]) / "train.jsonl"
    (row,) = read([file], unlabelled(WRITTEN.layouts))
    assert [example.fields for example in WRITTEN.examples(row)] == [{"text": "a"}]


def test_answers_to_texts_alone_have_no_truth_beside_them(tmp_path: Path, made: Collect, tiny_model: Path) -> None:
    rows = [{"text": f"the film was {word}", "label": word} for word in ("warm", "cold")]
    folder = laid(tmp_path / "data", rows)
    task = Classification()
    for name in ("tokens", "predictions", "scores"):
        (tmp_path / name).mkdir()
    labelled = made(folder, form_of(task))
    tokens = tokenize(Tokenization(task, 16), tmp_path / "tokens", base=Model(tiny_model), corpus=labelled)
    logits = np.eye(2, dtype=np.float32)
    np.save(tmp_path / "predictions" / "validation.npy", logits)
    model = Model(tmp_path)
    model.write("history.json", {"validation": monitor(logits, np.array([1, 0]), ["cold", "warm"])})
    model.write("decision.json", {})
    judging = Judging(
        lambda evidence: ({"guess": text[-4:]} for text in evidence.corpus["text"].to_pylist()),
        lambda evidence: ({"loss": 1.0}, {"intervals": {"loss": [0, 2]}}),
    )
    predictions = Predictions(tmp_path / "predictions")
    artifacts = {"model": model, "predictions": predictions, "tokens": tokens, "corpus": made(folder, PLAIN)}
    evaluate(Evaluation(task, judging), tmp_path / "scores", **artifacts)
    lines = (tmp_path / "scores" / "predictions" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"row": 1, "text": "the film was warm", "guess": "warm"}


OWN = {
    "summaries": (Written(((TEXT, column("target", "summary", target=True)),)), (170, 35, 35)),
    "translations": (
        Written(((column("text", "source"), column("target", "target", target=True)),)),
        (330, 50, 50),
    ),
    "notes": (PLAIN, (380, 60, 60)),
    "instructions": (TALK, (232, 40, 40)),
}


@pytest.mark.parametrize("name", OWN)
def test_nothing_is_odd_about_the_corpora_that_come_with_the_project(made: Collect, name: str) -> None:
    form, sizes = OWN[name]
    report = made(ROOT / "recipes" / "data" / name, form).read("data.json")
    assert tuple(facts["rows"] for facts in report["splits"].values()) == sizes
    assert not report["shared"] and not report["empty"] and not report["skipped"]
    assert not any(facts["repeated"] for facts in report["splits"].values())


def test_no_review_is_among_the_texts_to_adapt_to(made: Collect, gather: Gather) -> None:
    folder = ROOT / "recipes" / "data"
    reviews, notes = gather(folder / "reviews"), made(folder / "notes", PLAIN)
    known = {text.casefold() for split in reviews.splits() for text in texts(reviews, split)}
    assert not known & {text.casefold() for split in notes.splits() for text in texts(notes, split)}
