"""Long texts in windows that overlap: nothing is cut off, and each token is answered where it has most around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

NONE = -1


@dataclass(frozen=True)
class Window:
    """One row for a network: its encoding, and of which text it is."""

    encoding: Any
    text: int


def shortened(tokenizer: Any, texts: Sequence[str], most: int) -> list[str]:
    """Texts of more than ``most`` tokens without their ends."""
    tokenizer.enable_truncation(most)
    found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [text[: e.offsets[-1][1]] if e.overflowing else text for text, e in zip(texts, found, strict=True)]


def windows(encodings: Sequence[Any]) -> list[Window]:
    """Every window of every text, in order."""
    return [Window(each, text) for text, whole in enumerate(encodings) for each in (whole, *whole.overflowing)]


def owned(encodings: Sequence[Any], begins: np.ndarray, ends: np.ndarray, part: int = 0) -> list[np.ndarray]:
    """For the windows of one text: the word that each token stands for, or -1 (int32, tokens).

    A word stands at its first token, and in one window only: where that token is farthest from both edges.

    Args:
        begins, ends: where each word begins and ends in the text (characters).
        part: which of the texts of a pair it is.
    """
    import numpy as np

    found = [_first_tokens(encoding, begins, ends, part) for encoding in encodings]
    if len(found) == 1:
        return found
    best = np.full(len(begins), NONE)
    kept = np.zeros(len(begins), np.int64)
    for number, places in enumerate(found):
        tokens = np.flatnonzero(places != NONE)
        room = np.minimum(tokens, len(places) - 1 - tokens)
        better = room > best[places[tokens]]
        best[places[tokens[better]]], kept[places[tokens[better]]] = room[better], number
    for number, places in enumerate(found):
        tokens = np.flatnonzero(places != NONE)
        places[tokens[kept[places[tokens]] != number]] = NONE
    return found


def _first_tokens(encoding: Any, begins: np.ndarray, ends: np.ndarray, part: int) -> np.ndarray:
    import numpy as np

    places = np.full(len(encoding), NONE, np.int32)
    if not len(begins):
        return places
    offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
    mine = np.array([number == part for number in encoding.sequence_ids]) & (offsets[:, 1] > offsets[:, 0])
    word = np.minimum(np.searchsorted(ends, offsets[:, 0], side="right"), len(ends) - 1)
    mine &= (begins[word] < offsets[:, 1]) & (ends[word] > offsets[:, 0])
    tokens = np.flatnonzero(mine)
    _, first = np.unique(word[tokens], return_index=True)
    places[tokens[first]] = word[tokens[first]]
    return places
