"""What heads that predict tokens are asked, and what would be right: the same for every backend.

``targets`` are int64, of the shape of what is answered (batch × length of the text, or of the target), :data:`IGNORED` where
nothing is asked; at each place stands the very token that the network has to answer there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.backends import batches
from pipeline.features import IGNORED, Features, Inputs

if TYPE_CHECKING:
    import numpy as np

KEPT, RANDOM = 0.1, 0.1  # shares of the hidden tokens that stay as they are, or are another (Devlin et al. 2019)
LOGITS = 2**26  # numbers that a batch's answers over a vocabulary may be: 256 MB
Asked = tuple[Inputs, "np.ndarray"]
Asker = Callable[[Features, "np.ndarray"], Asked]


def seq2seq(features: Features, rows: Sequence[int] | np.ndarray) -> Asked:
    """The target, of which the decoder sees what stands before each token."""
    import numpy as np

    targets = features.lists("label").padded(rows, IGNORED, np.int64)
    before = np.full_like(targets, features.special["start"])
    before[:, 1:] = np.where(targets[:, :-1] == IGNORED, features.special["start"], targets[:, :-1])
    return {**features.inputs(rows), "decoder_input_ids": before}, targets


def causal(features: Features, rows: Sequence[int] | np.ndarray) -> Asked:
    """At each token the next."""
    import numpy as np

    inputs = features.inputs(rows)
    targets = np.full_like(inputs["input_ids"], IGNORED)
    targets[:, :-1] = features.lists("label").padded(rows, IGNORED, np.int64)[:, 1:]
    return inputs, targets


def masked(features: Features, rows: Sequence[int] | np.ndarray) -> Asked:
    """What is hidden at places that are always the same."""
    import numpy as np

    inputs, targets = features.inputs(rows), features.lists("label").padded(rows, IGNORED, np.int64)
    inputs["input_ids"] = np.where(targets == IGNORED, inputs["input_ids"], features.special["mask"])
    return inputs, targets


ASKED: dict[str, Asker] = {"seq2seq": seq2seq, "causal": causal, "masked": masked}


def measured(
    run: Callable[[Inputs, np.ndarray], np.ndarray],
    asked: Asker,
    features: Features,
    batch_size: int,
    vocabulary: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
    renumber: Callable[[Inputs], Inputs] = lambda inputs: inputs,
) -> np.ndarray:
    """All rows × :data:`pipeline.tasks.MEASURED` (float32).  Batches are as small as their logits over a ``vocabulary`` have
    to be, and none of these are kept.

    Args:
        run: gives this for the rows of a batch, from inputs and targets.
        renumber: applied to the inputs, for a network with a vocabulary of its own.
    """
    import numpy as np

    found = np.zeros((len(features), 3), np.float32)
    lengths = np.maximum(features.lengths, features.lists("label").lengths)
    for rows in batches.by_length(lengths, batch_size, LOGITS // vocabulary):
        inputs, targets = asked(features, rows)
        found[rows] = run(renumber(inputs), targets)
        advance(len(rows))
    return found


def drawn(features: Features, rows: np.ndarray, share: float, seed: Sequence[int]) -> Asked:
    """For training: a ``share`` of the tokens, drawn anew, is hidden; of these, some stay or become another one."""
    import numpy as np

    random = np.random.default_rng([*seed, int(rows[0])])
    inputs = features.inputs(rows)
    ids = inputs["input_ids"]
    free = features.lists("special").padded(rows, 1, np.int64) == 0
    chosen = free & (random.random(ids.shape) < share)
    chosen[np.arange(len(ids)), np.where(free, random.random(ids.shape), -1).argmax(1)] |= ~chosen.any(1) & free.any(1)
    how = random.random(ids.shape)
    others = random.integers(0, features.special["size"], ids.shape)
    seen = np.where(how < KEPT, ids, np.where(how < KEPT + RANDOM, others, features.special["mask"]))
    inputs["input_ids"] = np.where(chosen, seen, ids)
    return inputs, np.where(chosen, ids, IGNORED)


def packed(asked: Asked, most: int) -> Asked:
    """The same with several short rows in one of at most ``most`` tokens.  ``position_ids`` begin anew with each, by which
    networks of transformers keep them apart; there is no ``attention_mask``."""
    import numpy as np

    inputs, targets = asked
    lengths = inputs["attention_mask"].sum(1)
    bins: list[list[int]] = []
    room: list[int] = []
    for row in np.argsort(-lengths, kind="stable").tolist():  # the longest first, each into the first bin that has room
        place = next((at for at, left in enumerate(room) if left >= lengths[row]), len(bins))
        if place == len(bins):
            bins.append([])
            room.append(max(most, int(lengths[row])))
        bins[place].append(row)
        room[place] -= int(lengths[row])
    width = max(sum(int(lengths[row]) for row in rows) for rows in bins)
    ids, positions = (np.zeros((len(bins), width), np.int64) for _ in range(2))
    wanted = np.full((len(bins), width), IGNORED, np.int64)
    for place, rows in enumerate(bins):
        at = 0
        for row in rows:
            size = int(lengths[row])
            ids[place, at : at + size] = inputs["input_ids"][row, :size]
            wanted[place, at : at + size] = targets[row, :size]
            positions[place, at : at + size] = np.arange(size)
            at += size
        ids[place, at:] = ids[place, 0]  # not the padding's, of which transformers warns
        positions[place, at:] = np.arange(width - at)
    return {"input_ids": ids, "position_ids": positions}, wanted
