"""What the scripts among the examples of transformers do with a task: the stock sides of ``tasks.py``.

Their settings are those that their READMEs recommend, or else have by default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

IGNORED, NONE = -100, -1  # the label of tokens that nothing is learned at, and the word of those that stand for none
Encode = Callable[[Any, Any, int], dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Stock:
    """What a script among the examples of transformers does: its classes, its encoding, and what it is recommended with."""

    model: str
    collator: str
    encode: Encode
    settings: Settings


def pairs(tokenizer: Any, examples: Any, max_length: int) -> dict[str, Any]:
    """As ``run_glue.py`` does it."""
    first, second = examples["first"].to_pylist(), examples["second"].to_pylist()
    found = tokenizer(first, second, truncation=True, max_length=max_length)
    return {**found, "label": examples["label"].to_pylist()}


def words(tokenizer: Any, examples: Any, max_length: int) -> dict[str, Any]:
    """As ``run_ner.py`` does it: a word is learned at its first token, and what is too long is cut."""
    rows = examples.select(["text", "begins", "ends"]).to_pylist()
    split = [[row["text"][b:e] for b, e in zip(row["begins"], row["ends"], strict=True)] for row in rows]
    found = tokenizer(split, is_split_into_words=True, truncation=True, max_length=max_length)
    places = [
        [NONE if word is None or word == before else word for before, word in pairwise([None, *found.word_ids(row)])]
        for row in range(len(rows))
    ]
    labels = [
        [IGNORED if place == NONE else tags[place] for place in mine]
        for mine, tags in zip(places, examples["label"].to_pylist(), strict=True)
    ]
    return {**found, "label": labels, "word": places}


STOCK = {
    "similarity": Stock(
        "AutoModelForSequenceClassification", "DataCollatorWithPadding", pairs, Settings(3, 32, 2e-5)
    ),
    "ner": Stock(
        "AutoModelForTokenClassification", "DataCollatorForTokenClassification", words, Settings(3, 8, 5e-5)
    ),
}  # fmt: skip


def encoded(usual: Stock, tokenizer: Any, corpus: Any, split: str, max_length: int) -> dict[str, Any]:
    """Columns of a split, one row an example."""
    found = usual.encode(tokenizer, corpus.table(split), max_length)
    return {**found, "example": list(range(len(found["input_ids"])))}
