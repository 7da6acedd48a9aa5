"""Several texts in one row, which must see nothing of each other."""

from __future__ import annotations

from typing import Any

from pipeline.backends.pytorch import network
from pipeline.errors import UserError

LENGTH = 8  # tokens of each of two texts that are put into one row to see whether they stay apart
APART = 1e-4  # what numbers may differ by nevertheless, as a share of the largest: fp32 rounds to some 1e-7


def check(net: Any) -> None:
    """Refuse a network in which texts that share a row see each other: not every one keeps them apart by ``position_ids``.

    Raises:
        UserError: it is such a network.
    """
    import numpy as np

    ids, place = np.arange(1, 1 + 2 * LENGTH)[None], np.arange(LENGTH)
    both = {"input_ids": ids, "position_ids": np.concatenate([place, place])[None]}
    one = {"input_ids": ids[:, LENGTH:], "attention_mask": np.ones((1, LENGTH), np.int64)}
    with network.answering(net):
        found = network.run(net, both, np.ones(ids.shape, bool))[LENGTH:].float()
        wanted = network.run(net, one, np.ones((1, LENGTH), bool)).float()
    if float((found - wanted).abs().max()) > APART * float(wanted.abs().max()):
        raise UserError(
            f"training.packing=true: in a {net.config.model_type} model texts that share a row would see each other; leave "
            "it out"
        )
