"""Training with only the part of the vocabulary that the data uses.

Word embeddings are half the weights of a small model, and a batch touches a few hundred of their
tens of thousands of rows; yet each step zeroes, clips and updates all.  Rows that no training text
uses would get no gradient anyway, only weight decay.  Here they sit out, and keep what they
learned in pretraining.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Vocabulary:
    """Gives ``network`` a word embedding of just the ids in ``used``, and takes it back out."""

    def __init__(self, network: Any, used: np.ndarray, pad: int) -> None:
        import numpy as np
        import torch

        whole = network.get_input_embeddings()
        # All ids up to the padding's are taken, so that it keeps its number: RoBERTa counts positions by it.
        self.ids = np.union1d(used, np.arange(pad + 1))
        self._number = np.zeros(whole.num_embeddings, np.int64)
        self._number[self.ids] = np.arange(len(self.ids))
        self._whole = whole
        self._rows = torch.from_numpy(self.ids)
        self._network = network
        part = torch.nn.Embedding(len(self.ids), whole.embedding_dim, padding_idx=whole.padding_idx)
        part.weight.data = whole.weight.data[self._rows].clone()
        network.set_input_embeddings(part)

    def renumber(self, ids: np.ndarray) -> np.ndarray:
        """Token ids of the tokenizer as ids of the smaller embedding."""
        numbers: np.ndarray = self._number[ids]
        return numbers

    def restore(self) -> None:
        """Give the network its whole vocabulary back, the used rows as they are now."""
        import torch

        part = self._network.get_input_embeddings()
        with torch.no_grad():
            self._whole.weight[self._rows] = part.weight.to(self._whole.weight.device)
        self._network.set_input_embeddings(self._whole.to(part.weight.device))
