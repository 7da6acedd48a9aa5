"""What networks see of a split: rows of token ids, one for each example, or several windows or choices of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

IGNORED = -100  # the label of tokens that nothing is learned at
Inputs = dict[
    str, "np.ndarray"
]  # by the names that networks of transformers have for them: int64, a row an example, a column a token


class Lists:
    """A column of lists of numbers, where they lie on disk."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        import numpy as np

        self._chunks = [
            (chunk.offsets.to_numpy(), chunk.values.to_numpy(zero_copy_only=False))
            for chunk in column.chunks
            if len(chunk)
        ]
        sizes = [np.diff(offsets) for offsets, _ in self._chunks]
        self.lengths: np.ndarray = np.concatenate(sizes) if sizes else np.zeros(0, np.int32)  # of each list
        self._starts = np.cumsum([0, *(len(size) for size in sizes)])

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, index: int) -> np.ndarray:
        """One list."""
        import numpy as np

        at = int(np.searchsorted(self._starts, index, side="right")) - 1
        offsets, values = self._chunks[at]
        inside = index - int(self._starts[at])
        found: np.ndarray = values[offsets[inside] : offsets[inside + 1]]
        return found

    def flat(self) -> np.ndarray:
        """All lists, one behind the other."""
        import numpy as np

        parts = [values[offsets[0] : offsets[-1]] for offsets, values in self._chunks]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def padded(self, rows: Sequence[int] | np.ndarray, filler: int, dtype: type = int) -> np.ndarray:
        """Some lists (rows × longest among them), filled up behind."""
        import numpy as np

        width = int(self.lengths[np.asarray(rows)].max(initial=0))
        found: np.ndarray = np.full((len(rows), width), filler, dtype)
        for i, row in enumerate(rows):
            values = self.row(int(row))
            found[i, : len(values)] = values
        return found


class Features:
    """The rows of a split.

    Args:
        table: columns ``input_ids`` (lists), ``example`` (which row of the corpus each is of, in order), and by the task
            ``token_type_ids`` (lists), ``label`` and others.
        pad: the token id that fills rows up.
        special: other token ids that heads which predict tokens need: ``start``, which a decoder begins with; ``mask``,
            which hides a token; ``size``, how many there are; ``forced``, which every text begins with; and ``end``, which
            ends what is said in a conversation.
    """

    def __init__(self, table: pa.Table, pad: int, special: Mapping[str, int] | None = None) -> None:
        self._table, self.pad, self.special = table, pad, dict(special or {})
        self.ids = Lists(table["input_ids"])
        self.lengths = self.ids.lengths  # tokens of each row
        self._lists: dict[str, Lists] = {}  # of columns that were asked for: a batch asks for few rows of them
        self._numbers: dict[str, np.ndarray] = {}
        self.types = Lists(table["token_type_ids"]) if "token_type_ids" in table.column_names else None

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def examples(self) -> np.ndarray:
        """Of which example each row is (int32)."""
        return self.numbers("example")

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each row begins if the tokens of all are counted through, and where the last ends."""
        import numpy as np

        return np.cumsum(np.concatenate([np.zeros(1, np.int64), self.lengths]))

    def numbers(self, column: str) -> np.ndarray:
        """A column of one number a row."""
        if column not in self._numbers:
            self._numbers[column] = self._table[column].to_numpy()
        return self._numbers[column]

    def lists(self, column: str) -> Lists:
        """A column of lists of numbers."""
        if column not in self._lists:
            self._lists[column] = Lists(self._table[column])
        return self._lists[column]

    def take(self, rows: Sequence[int] | np.ndarray) -> Features:
        """Some rows by themselves."""
        return Features(self._table.take(rows), self.pad, self.special)

    def vocabulary(self) -> np.ndarray:
        """The token ids that occur, in order."""
        import numpy as np

        return np.unique(self.ids.flat())

    def inputs(self, rows: Sequence[int] | np.ndarray) -> Inputs:
        """What a network takes of some rows, padded to the longest among them."""
        import numpy as np

        ids = self.ids.padded(rows, self.pad, np.int64)
        widths = self.lengths[np.asarray(rows)]
        found = {"input_ids": ids, "attention_mask": (np.arange(ids.shape[1]) < widths[:, None]).astype(np.int64)}
        if self.types is not None:
            found["token_type_ids"] = self.types.padded(rows, 0, np.int64)
        return found

    def of_tokens(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Where the tokens of some rows are among those of all."""
        import numpy as np

        return np.concatenate([np.arange(self.starts[row], self.starts[row + 1]) for row in rows])
