"""Whether an exported model is the model: what every format must pass before anybody trusts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.backends.batches import Ragged
from pipeline.errors import CheckFailed

if TYPE_CHECKING:
    import numpy as np


class Runtime(Protocol):
    """An exported model, loaded."""

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits (batch × labels) for ``input_ids`` and ``attention_mask`` (int64, batch × length)."""


@dataclass(frozen=True)
class Sample:
    """Rows of a split, their texts, and what the model itself answers to them (float32, rows × labels)."""

    split: Ragged
    rows: np.ndarray
    pad: int
    logits: np.ndarray
    texts: list[str]

    def inputs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """``input_ids`` and ``attention_mask`` of the first ``count`` rows; a short sample repeats its rows."""
        import numpy as np

        return self.split.padded(np.resize(self.rows, count), self.pad)


def check_labels(folder: Path, labels: list[str]) -> None:
    """The label map in ``config.json`` must be that of the corpus, both ways."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = [config["id2label"].get(str(i)) for i in range(len(config["id2label"]))]
    if names != labels or config["label2id"] != {name: i for i, name in enumerate(labels)}:
        raise CheckFailed(f"{folder.name}: its label map says {names}, the corpus {labels}")


def check_tokenizer(name: str, tokenize: Callable[[list[str]], list[list[int]]], sample: Sample) -> None:
    """``tokenize`` must turn texts into the very ids that were trained on, padding behind them aside."""
    for row, text, ids in zip(sample.rows, sample.texts, tokenize(sample.texts), strict=True):
        wanted = sample.split.row(int(row)).tolist()
        if ids[: len(wanted)] != wanted or any(number != sample.pad for number in ids[len(wanted) :]):
            raise CheckFailed(f"{name}: its tokenizer splits validation row {row + 1} in another way: {text!r:.80}")


def check_logits(name: str, runtime: Runtime, sample: Sample, tolerance: float) -> dict[str, Any]:
    """The runtime must answer within ``tolerance`` of the model's logits and choose the same labels, in batches
    and one by one; how far off it was.

    Raises:
        CheckFailed: it does not.
    """
    import numpy as np

    largest = 0.0
    sizes = [32] * (len(sample.rows) // 32) + [len(sample.rows) % 32] + [1] * min(8, len(sample.rows))
    start = 0
    for size in filter(None, sizes):
        at = np.arange(start, start + size) % len(sample.rows)
        start += size
        found = runtime.run(*sample.split.padded(sample.rows[at], sample.pad))
        wanted = sample.logits[at]
        difference = float(np.abs(found - wanted).max())
        largest = max(largest, difference)
        if not difference <= tolerance or _decide_otherwise(found, wanted, tolerance):
            raise CheckFailed(
                f"{name}: does not answer as the model does: logits differ by {difference:.2e} on validation rows, "
                f"where export.tolerance allows {tolerance:.0e}; the export was not kept"
            )
    return {"rows": len(sample.rows), "largest_difference": float(f"{largest:.2e}")}


def _decide_otherwise(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    """Whether a row gets another label, though its first two are not so close that rounding may decide."""
    import numpy as np

    second, first = np.sort(wanted, -1)[:, -2:].T
    changed = found.argmax(-1) != wanted.argmax(-1)
    return bool((changed & (first - second > 2 * tolerance)).any())
