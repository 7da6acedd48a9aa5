"""Which rows go into which batch, and how they are padded: the same for every backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.artifacts import Tokens

if TYPE_CHECKING:
    import numpy as np

POOL = 50  # batches that are grouped by length together: long enough to save padding, short enough to stay random


class Ragged:
    """The token ids of a split, row by row, where they lie on disk."""

    def __init__(self, tokens: Tokens, split: str) -> None:
        import numpy as np

        table = tokens.table(split)
        self._chunks = [
            (chunk.offsets.to_numpy(), chunk.values.to_numpy()) for chunk in table["input_ids"].chunks if len(chunk)
        ]
        sizes = [np.diff(offsets) for offsets, _ in self._chunks]
        self.lengths: np.ndarray = np.concatenate(sizes) if sizes else np.zeros(0, np.int32)  # tokens of each row
        self.labels: np.ndarray = table["label"].to_numpy().astype(np.int64)
        self._starts = np.cumsum([0, *(len(size) for size in sizes)])

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, index: int) -> np.ndarray:
        """Token ids (int32) of one row."""
        import numpy as np

        at = int(np.searchsorted(self._starts, index, side="right")) - 1
        offsets, values = self._chunks[at]
        inside = index - int(self._starts[at])
        ids: np.ndarray = values[offsets[inside] : offsets[inside + 1]]
        return ids

    def vocabulary(self) -> np.ndarray:
        """The ids that occur, in order."""
        import numpy as np

        return np.unique(np.concatenate([np.unique(values) for _, values in self._chunks]))

    def padded(self, rows: Sequence[int] | np.ndarray, pad: int) -> tuple[np.ndarray, np.ndarray]:
        """``input_ids`` and ``attention_mask`` (int64, rows × longest row among them)."""
        import numpy as np

        width = int(self.lengths[np.asarray(rows)].max())
        ids = np.full((len(rows), width), pad, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for i, row in enumerate(rows):
            found = self.row(int(row))
            ids[i, : len(found)] = found
            mask[i, : len(found)] = 1
        return ids, mask


def shuffled(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of an epoch: rows in random order, then grouped by length within pools of
    :data:`POOL` batches, then batches in random order.  The same arguments give the same batches.
    """
    import numpy as np

    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    pool = POOL * batch_size
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    grouped = np.concatenate([p[np.argsort(-lengths[p], kind="stable")] for p in pools])
    batches = [grouped[start : start + batch_size] for start in range(0, len(grouped), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def by_length(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """All rows in batches of like length, the longest first, so that memory runs out at once or not at all."""
    import numpy as np

    order = np.argsort(-lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
