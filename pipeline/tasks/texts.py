"""What tasks have in common that give one answer to a text or to a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.tasks import Encoded

if TYPE_CHECKING:
    import pyarrow as pa

# Names that are as common as those that the settings have.
TEXT = ("sentence", "content", "review", "message")
FIRST = ("sentence1", "text1", "premise", "question1", "text_a")
SECOND = ("sentence2", "text2", "hypothesis", "question2", "text_b")
LABEL = ("class", "category")


def encode(tokenizer: Any, examples: pa.RecordBatch, columns: Sequence[str], max_length: int) -> Encoded:
    """Each example as one row, cut at ``max_length``: of a pair, the longer text first."""
    import numpy as np

    tokenizer.enable_truncation(max_length)
    found = [examples[name].to_pylist() for name in columns]
    encodings = tokenizer.encode_batch_fast(found[0] if len(found) == 1 else list(zip(*found, strict=True)))
    cut = sum(1 for encoding in encodings if encoding.overflowing)
    labels = {"label": examples["label"]} if "label" in examples.schema.names else {}
    return Encoded(encodings, np.arange(len(encodings)), labels, cut)
