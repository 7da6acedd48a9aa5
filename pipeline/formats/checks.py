"""Whether an exported model is the model: what every format must pass before anybody trusts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.backends.batches import unpadded
from pipeline.errors import CheckFailed, TooInexact
from pipeline.features import Features, Inputs

if TYPE_CHECKING:
    import numpy as np


FLIPS = 2  # rows on the edge that come out otherwise are no loss
CALIBRATED = 128  # training rows, at most, that say what range activations have


class Runtime(Protocol):
    """An exported model, loaded."""

    def run(self, inputs: Inputs) -> np.ndarray:
        """Logits (batch × outputs, or batch × length × outputs) for ``input_ids`` and the like (int64, batch × length)."""


class Writer(Protocol):
    """A model that writes text, loaded.  ``start``: the token that its decoder begins with; ``None``: it has no decoder
    of its own, but goes on with what it is given."""

    start: int | None

    def logits(self, inputs: Inputs, decoder_input_ids: np.ndarray | None = None) -> np.ndarray:
        """Logits (float32, batch × length × vocabulary) behind each of ``decoder_input_ids`` (int64, batch × length), or of
        ``input_ids`` where there is no decoder."""

    def generate(self, inputs: Inputs, settings: Mapping[str, Any], seed: int = 0) -> list[list[int]]:
        """What it writes for each row: token ids without those that were given, up to the one that ends the text, with it.

        Args:
            inputs: ``input_ids`` and ``attention_mask`` (int64, batch × length), padded on whatever side.
            settings: by the names of transformers' GenerationConfig; others are as in ``generation_config.json``.
            seed: of what is drawn, with ``do_sample``.
        """


@dataclass(frozen=True)
class Sample:
    """Rows of a split, and what the model itself answers to all of it, as :class:`pipeline.tasks.Evidence` has it;
    ``tokens``: for each token; ``texts``: those of the rows, where each row is one whole text; ``learned``: rows that were
    trained on, where they shall say what range activations have."""

    features: Features
    rows: np.ndarray
    logits: np.ndarray
    tokens: bool
    texts: list[str] | None = None
    unit: float = 1.0  # of the logits: what the tolerance is a share of
    learned: Features | None = None

    def inputs(self, count: int) -> Inputs:
        """Of the first ``count`` rows; a short sample repeats its rows."""
        import numpy as np

        return self.features.inputs(np.resize(self.rows, count))

    def calibration(self) -> list[Inputs] | None:
        """Some rows that were trained on, each by itself, for padding is nothing to be covered; if there are any."""
        import numpy as np

        if self.learned is None:
            return None
        rows = np.unique(np.linspace(0, len(self.learned) - 1, CALIBRATED).astype(int))
        return [self.learned.inputs([row]) for row in rows]

    def ids(self) -> list[list[int]]:
        """Token ids of the rows."""
        return [self.features.ids.row(int(row)).tolist() for row in self.rows]

    def answers(self, rows: np.ndarray) -> np.ndarray:
        """What the model answers to some rows, or to all their tokens."""
        found: np.ndarray = self.logits[self.features.of_tokens(rows) if self.tokens else rows]
        return found


def check_labels(folder: Path, labels: list[str]) -> None:
    """The label map in ``config.json`` must be that of the corpus, both ways."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = [config["id2label"].get(str(i)) for i in range(len(config["id2label"]))]
    if names != labels or config["label2id"] != {name: i for i, name in enumerate(labels)}:
        raise CheckFailed(f"{folder.name}: its label map says {names}, the corpus {labels}")


def check_tokenizer(name: str, texts: list[str], ids: list[list[int]], trained: list[list[int]], pad: int) -> None:
    """Texts must become the very ids that were trained on, padding behind them aside."""
    for row, (text, found, wanted) in enumerate(zip(texts, ids, trained, strict=True), 1):
        if found[: len(wanted)] != wanted or any(number != pad for number in found[len(wanted) :]):
            raise CheckFailed(f"{name}: its tokenizer splits text {row} of the sample in another way: {text!r:.80}")


def check_logits(name: str, runtime: Runtime, sample: Sample, tolerance: float) -> dict[str, Any]:
    """The runtime must answer within ``tolerance`` of the model's logits, in batches and one by one; how far off it was.

    Raises:
        CheckFailed: it does not.
    """
    import numpy as np

    largest = 0.0
    sizes = [32] * (len(sample.rows) // 32) + [len(sample.rows) % 32] + [1] * min(8, len(sample.rows))
    start = 0
    for size in filter(None, sizes):
        rows = sample.rows[np.arange(start, start + size) % len(sample.rows)]
        start += size
        found = runtime.run(sample.features.inputs(rows))
        if sample.tokens:
            found = unpadded(found, sample.features.lengths[rows])
        difference = float(np.abs(found - sample.answers(rows)).max()) / sample.unit
        largest = max(largest, difference)
        if not (difference <= tolerance and np.isfinite(difference)):
            raise CheckFailed(
                f"{name}: does not answer as the model does: logits differ by {difference:.2e} on validation rows, "
                f"where export.tolerance allows {tolerance:.0e}; the export was not kept"
            )
    return {"rows": len(sample.rows), "largest_difference": float(f"{largest:.2e}")}


def check_score(
    name: str,
    measure: str,
    found: Mapping[str, float],
    wanted: Mapping[str, float],
    budget: float,
    rows: int,
    unit: float,
) -> None:
    """A form may score less than the model by a ``budget`` of points, from 100, or by what :data:`FLIPS` of the ``rows`` are
    worth; and be off by as much more on average, as a share of the numbers' deviation ``unit``, where it answers numbers.

    Raises:
        CheckFailed: it scores less than that.
    """
    allowed = max(budget, 100 * FLIPS / rows)
    for each, lost in (
        (measure, wanted[measure] - found[measure]),
        ("mae", found.get("mae", 0) - wanted.get("mae", 0)),
    ):
        if not round(100 * lost / (unit if each == "mae" else 1), 6) <= allowed:
            raise TooInexact(
                f"{name}: {each} {found[each]:.4f} on {rows:,} validation rows, where the model has {wanted[each]:.4f} and "
                f"export.budget={budget:g} allows to lose {allowed:.2g} points; the export was not kept: raise it, or leave {name} out"
            )
