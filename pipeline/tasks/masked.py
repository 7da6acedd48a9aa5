"""Masked language modelling (Devlin et al. 2019): what words belong where some are hidden.

It fits an encoder to the language of a field, before it is fine-tuned for a task.  What is measured of a row is as
:data:`pipeline.tasks.MEASURED` has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

from pipeline.corpora.columns import column
from pipeline.corpora.writing import Plain
from pipeline.features import IGNORED, Features
from pipeline.fields import Invalid, neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Scored, Tokenizers
from pipeline.tasks.language import MONITORS, likelihoods, measured, monitor, perplexity, rounded
from pipeline.tasks.texts import TEXT
from pipeline.tasks.windows import windows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class MaskedLanguageModeling:
    """Learn what the hidden tokens of a ``text`` are.  Long texts are learned in pieces, none of it is left out."""

    text: str = neutral("text")
    """the column of the text"""
    masked: float = 0.15
    """share of the tokens that are hidden at a time"""
    invalid: Invalid = neutral("refuse")
    """what to do with a row that lacks something: refuse the data, or skip the row"""
    head: ClassVar[str] = "masked"
    monitors: ClassVar[tuple[str, ...]] = MONITORS
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>", "special": "list<int8>"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(0 < self.masked < 1, "masked is a share of the tokens, above 0 and below 1")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """Pieces of at most ``max_length`` tokens; ``label``: a share of the tokens, drawn by what the piece says, with
        which every model is measured, :data:`IGNORED` at all others; ``special``: 1 at tokens that are never hidden."""
        import numpy as np

        tokenizers.text.enable_truncation(max_length)
        found = windows(tokenizers.text.encode_batch(examples["text"].to_pylist()))
        rows = [piece.encoding for piece in found]
        special = [np.array(row.special_tokens_mask, np.int8) for row in rows]
        labels = [hidden(np.array(row.ids), mask == 1, self.masked) for row, mask in zip(rows, special, strict=True)]
        return Encoded(rows, np.array([piece.text for piece in found]), {"label": labels, "special": special})

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


def hidden(ids: np.ndarray, special: np.ndarray, share: float) -> np.ndarray:
    """The ids at some places, always the same for the same piece, at least one where there is any word;
    :data:`IGNORED` elsewhere."""
    import numpy as np

    draws = np.where(special, 2, np.random.default_rng(crc32(ids.tobytes())).random(len(ids)))
    chosen = draws < share
    if not chosen.any() and not special.all():
        chosen[draws.argmin()] = True
    return np.where(chosen, ids, IGNORED).astype(np.int32)


def judge(evidence: Evidence) -> Scored:
    """Perplexity of hidden tokens, beside that of a model that knows only how common each token is; and
    pseudo-perplexity, for which each token is hidden alone (Salazar et al. 2020)."""
    import pyarrow.compute as pc

    scores, details = likelihoods(evidence, pc.binary_length(evidence.corpus["text"]).to_numpy())
    # Bits per byte mean nothing of a share of the tokens.
    scores = {name: value for name, value in scores.items() if "bits" not in name}
    if evidence.extra is not None:
        loss, tokens = (evidence.extra[name].to_numpy() for name in ("loss", "tokens"))
        scores["pseudo_perplexity"] = perplexity(float(loss.sum() / max(1, tokens.sum())))
        details["pseudo_perplexity"] = {"texts": len(loss), "tokens": int(tokens.sum())}
    return rounded(scores), rounded(details)


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"loss": nats, "tokens": count}`` of what was hidden of each text; of new texts, ``{"filled": …}``, the likeliest tokens
    for each that hides another."""
    if evidence.extra is not None and "filled" in evidence.extra.column_names:
        return ({"filled": filled} for filled in evidence.extra["filled"].to_pylist())
    return measured(evidence)


def form(task: MaskedLanguageModeling) -> Plain:
    """Rows with a text."""
    return Plain(((column("text", task.text, *TEXT),),))


KIND = Kind(form, Judging(decode, judge))
