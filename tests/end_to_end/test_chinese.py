"""Chinese from a raw file to an exported model and its answers, with a small BERT that has a Chinese vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATA, read_json, write_csv
from tests.end_to_end.conftest import Command, lines, write_lines

pytestmark = pytest.mark.slow
QUICK = ["corpus.limit=24", "training.epochs=1"]
Row = dict[str, Any]

CITIES, PEOPLE, FIRMS = ["杭州", "成都", "青岛"], ["李小雨", "王建国", "陈思"], ["华盛银行", "新月书店", "长风集团"]
THINGS, GOOD, BAD = ["房间", "早餐", "服务"], ["很干净", "非常好", "让人满意"], ["太差了", "又脏又旧", "让人失望"]
COUNT = 40  # rows of each kind


def reviews() -> Iterator[tuple[str, str]]:
    for number in range(COUNT):
        words, label = (GOOD, "好评") if number % 2 else (BAD, "差评")
        yield f"这家酒店的{THINGS[number % 3]}{words[number // 2 % 3]}！第{number}次来，“值得”一提。", label


def entities() -> Iterator[Row]:
    """Characters with tags under the name that public corpora have for them."""
    for number in range(COUNT):
        parts = [
            (PEOPLE[number % 3], "name"), (f"，{number}岁，在", ""), (CITIES[number // 3 % 3], "address"), ("的", ""),
            (FIRMS[number // 9 % 3], "company"), ("工作。", ""),
        ]  # fmt: skip
        tags = [
            tag for part, kind in parts
            for tag in ([f"B-{kind}"] + [f"I-{kind}"] * (len(part) - 1) if kind else ["O"] * len(part))
        ]  # fmt: skip
        yield {"tokens": list("".join(part for part, _ in parts)), "ner_tags": tags}


def questions() -> Iterator[Row]:
    for number in range(COUNT):
        person, city, firm = PEOPLE[number % 3], CITIES[number // 3 % 3], FIRMS[number // 9 % 3]
        context = f"　{person}（{20 + number}岁）出生于{city}，现在{firm}工作；他说：「很好！」"
        start = context.index(city)
        yield {
            "question": f"{person}出生在哪里？", "context": context,
            "answers": {"text": [city], "answer_start": [start]},
        }  # fmt: skip


def make_chinese(folder: Path, texts: list[str]) -> Path:
    """A BERT with random weights and every character of the texts in its vocabulary, put together as bert-base-chinese
    is."""
    import torch
    import transformers

    characters = sorted({letter for text in texts for letter in text if not letter.isspace()})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    folder.mkdir()
    words = [*special, *characters, *(f"##{letter}" for letter in characters)]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = transformers.BertTokenizerFast(
        vocab=vocabulary, do_lower_case=False, tokenize_chinese_chars=True, model_max_length=512
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chinese_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [text for text, _ in reviews()]
    texts += [json.dumps(row, ensure_ascii=False) for maker in (entities, questions) for row in maker()]
    for name in ("chnsenticorp/*.csv", "cluener_zh/*.jsonl", "cmrc2018_zh/*.jsonl"):
        for file in DATA.glob(name):
            texts += file.read_text(encoding="utf-8").splitlines()
    return make_chinese(tmp_path_factory.mktemp("models") / "chinese", texts)


Go = Callable[..., Path]


@pytest.fixture
def go(command: Command, home: Path, chinese_model: Path) -> Go:
    """``go(recipe, source, setting, …)``: the results of a short training of the Chinese model on a source."""

    def call(recipe: str, source: Path, *settings: str) -> Path:
        done = command("run", recipe, f"base.model={chinese_model}", f"corpus.source={source}", *QUICK, *settings)
        assert done.code == 0, done.err
        assert "does not know" not in done.out  # every character is in the vocabulary
        results = home / "results" / recipe
        assert read_json(results / "exports.json")["onnx"]["largest_difference"] <= 1e-4
        return results

    return call


def real(name: str) -> Any:
    reason = f"../shared/data/{name} is not here"
    return pytest.param(name, marks=pytest.mark.skipif(not (DATA / name).is_dir(), reason=reason))


def source(name: str, own: Callable[[], Iterator[Row]], folder: Path) -> Path:
    """A public dataset, or a file of the rows of this test."""
    return DATA / name if name != "own" else write_lines(folder / "数据.jsonl", *own())


@pytest.mark.parametrize("name", ["own", real("chnsenticorp")])
def test_reviews(go: Go, command: Command, tmp_path: Path, name: str) -> None:
    file = tmp_path / "评论.csv" if name == "own" else DATA / name
    if name == "own":
        write_csv(file, reviews())
    results = go("sentiment", file)
    names = {"好评", "差评"} if name == "own" else set(read_json(DATA / name / "labels.json"))
    assert set(read_json(results / "details.json")["test"]["labels"]) == names
    text = "房间很干净，“服务”也好！"
    (row,) = command("predict", "sentiment", "--text", text).rows()
    assert row["text"] == text and row["label"] in names
    (onnx,) = command("predict", "sentiment", "--text", text, "--format", "onnx").rows()
    assert onnx["label"] == row["label"]


@pytest.mark.parametrize("name", ["own", real("cluener_zh")])
def test_names(go: Go, command: Command, tmp_path: Path, name: str) -> None:
    results = go("ner", source(name, entities, tmp_path))
    assert {"B-name", "I-name", "B-address", "B-company"} <= set(read_json(results / "model/config.json")["label2id"])
    rows = lines(results / "predictions" / "test.jsonl")
    for row in rows:
        assert len("".join(row["text"].split())) == len(row["truth"])  # a character a word
    if name == "own":
        assert not any(" ，" in row["text"] or "。 " in row["text"] for row in rows)
        quoted(row, row["entities"])
    text = "王建国（45岁），在杭州的“华盛银行”工作。"
    (row,) = command("predict", "ner", "--text", text).rows()
    assert row["text"] == text
    quoted(row, row["entities"])
    (onnx,) = command("predict", "ner", "--text", text, "--format", "onnx").rows()
    assert [each["start"] for each in onnx["entities"]] == [each["start"] for each in row["entities"]]


def quoted(row: Row, spans: list[Row]) -> None:
    """Offsets must be those of the text as it was given."""
    for span in spans:
        assert row["text"][span["start"] : span["end"]] == span["text"] != ""


@pytest.mark.parametrize("name", ["own", real("cmrc2018_zh")])
def test_questions(go: Go, command: Command, tmp_path: Path, name: str) -> None:
    results = go("qa", source(name, questions, tmp_path), "task.language=zh")
    rows = lines(results / "predictions" / "test.jsonl")
    for row in rows:
        answers(row)
        assert row["answers"][0] in row["context"]
    own = next(questions())
    typed = ["--text", own["question"], "--text", own["context"]]
    (row,) = command("predict", "qa", "task.language=zh", *typed).rows()
    assert row["context"] == own["context"] and row["question"] == own["question"]
    answers(row)
    (onnx,) = command("predict", "qa", *typed, "--format", "onnx").rows()
    assert onnx["answer"] == row["answer"]


def answers(row: Row) -> None:
    for found in (row, *row["candidates"]):
        assert found["answer"] == row["context"][found["start"] : found["end"]] or found["start"] is None


def test_a_chinese_text_is_tagged_character_by_character(go: Go, command: Command, tmp_path: Path) -> None:
    rows = [{"words": row["tokens"], "tags": [tag[2:] or "其他" for tag in row["ner_tags"]]} for row in entities()]
    go("pos", write_lines(tmp_path / "词.jsonl", *rows))
    text = "王建国，在杭州「工作」。"
    (row,) = command("predict", "pos", "--text", text).rows()
    assert [tag["text"] for tag in row["tags"]] == list(text)  # full-width punctuation and all


def test_a_long_chinese_text_is_read_to_its_end(go: Go, command: Command, tmp_path: Path) -> None:
    rows = [{"words": row["tokens"], "tags": [tag[2:] or "其他" for tag in row["ner_tags"]]} for row in entities()]
    go("pos", write_lines(tmp_path / "词.jsonl", *rows), "max_length=32")
    text = "陈思在青岛的新月书店工作，很好！" * 12
    (row,) = command("predict", "pos", "--text", text).rows()
    assert "".join(tag["text"] for tag in row["tags"]) == text
    assert all(tag["score"] > 0 for tag in row["tags"])
