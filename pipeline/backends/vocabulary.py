"""Training with only the part of the vocabulary that the data uses.

Word embeddings are half the weights of a small model, and a batch touches a few hundred of their
tens of thousands of rows; yet each step zeroes, clips and updates all.  Rows that no training text
uses would get no gradient anyway, only weight decay.  Here they sit out, and keep what they
learned in pretraining.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.fields import require

if TYPE_CHECKING:
    import numpy as np


class Vocabulary:
    """The ids in ``used``, numbered anew from 0 in their order.

    All ids up to the padding's are taken, so that it keeps its number: RoBERTa counts positions by it.
    """

    def __init__(self, used: np.ndarray, pad: int) -> None:
        import numpy as np

        self.ids: np.ndarray = np.union1d(used, np.arange(pad + 1))
        self._number = np.zeros(int(self.ids.max()) + 1, np.int64)
        self._number[self.ids] = np.arange(len(self.ids))

    def check(self, rows: int) -> None:
        """A word embedding must have a row for every id.

        Raises:
            UserError: it has not.
        """
        most = int(self.ids.max())
        require(
            most < rows,
            f"base.model: its tokenizer gives ids up to {most}, its word embedding has {rows} rows; get it again",
        )

    def renumber(self, ids: np.ndarray) -> np.ndarray:
        """Token ids of the tokenizer as rows of the smaller embedding."""
        numbers: np.ndarray = self._number[ids]
        return numbers
