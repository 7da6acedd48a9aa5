"""Texts from a model that scores what comes next: one token after the other, or several texts side by side.

Both are as in transformers (generation/utils.py), so that the same settings give the same texts; but in numpy, for
models that run without PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from pipeline.features import Inputs
from pipeline.formats.rules import NEVER, Rules, likely

if TYPE_CHECKING:
    import numpy as np

State = TypeVar("State")
Step = Callable[["np.ndarray", State, "np.ndarray | None"], tuple["np.ndarray", State]]
"""Tokens (rows × new ones), what the model keeps of those before, and the rows of it that these go on from (``None``: as
they are) → logits (rows × vocabulary) of the token behind the last, what the model keeps then."""

LOW = -1e9  # the score of what does not count
KEPT = 0.75  # of the rows; when fewer are still being written, the others are dropped: each time, all is copied


def follow(
    step: Step[State], state: State, prompt: np.ndarray, starts: np.ndarray, rules: Rules, seed: int = 0
) -> list[list[int]]:
    """The tokens that follow each row of ``prompt`` (rows × tokens), up to one that ends the text, with it.

    Args:
        starts: where the text of each row begins, behind the padding.
        seed: of what is drawn, with ``do_sample``.
    """
    if rules.settings.num_beams > 1:
        written = _Beams(prompt, starts, rules).run(step, state)
    else:
        written = _singly(step, state, prompt, starts, rules, seed)
    return [ended(row[rules.prompt :].tolist(), rules.ends) for row in written]


def behind_padding(inputs: Inputs) -> Inputs:
    """The same texts, each at the end of its row, so that something can be written behind it."""
    import numpy as np

    order = np.argsort(inputs["attention_mask"], -1, kind="stable")
    return {name: np.take_along_axis(values, order, -1) for name, values in inputs.items()}


def ended(tokens: list[int], ends: Sequence[int]) -> list[int]:
    """What is written up to the first of ``ends``, with it."""
    end = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[: end + 1]


def _singly(
    step: Step[State], state: State, prompt: np.ndarray, starts: np.ndarray, rules: Rules, seed: int
) -> np.ndarray:
    """Prompts and what follows (rows × tokens), each token the best, or one that is drawn."""
    import numpy as np

    random = np.random.default_rng(seed)
    ids = np.concatenate([prompt, np.zeros((len(prompt), rules.longest - rules.prompt), np.int64)], 1)
    rows, tokens, origins = np.arange(len(ids)), prompt, None
    over = np.zeros(len(ids), bool)
    for length in range(rules.prompt, rules.longest):
        logits, state = step(tokens, state, origins)
        scores = rules.apply(ids[rows, :length], starts[rows], logits)
        chosen = _drawn(scores, rules, random) if rules.settings.do_sample else scores.argmax(-1)
        ids[rows, length] = chosen
        over[rows] |= np.isin(chosen, rules.ends)
        if over.all():
            return ids[:, : length + 1]
        origins = None
        if (~over[rows]).mean() <= KEPT:
            origins = np.flatnonzero(~over[rows])
            rows = rows[origins]
        tokens = ids[rows, length : length + 1]
    return ids


def _drawn(scores: np.ndarray, rules: Rules, random: np.random.Generator) -> np.ndarray:
    """A token for each row by its probability, among the ``top_k`` best and of these among the best that have ``top_p``
    of it: Holtzman et al. 2020, https://arxiv.org/abs/1904.09751, section 3.1."""
    import numpy as np

    settings = rules.settings
    scores = scores / settings.temperature
    if 0 < settings.top_k < scores.shape[1]:
        scores[scores < np.partition(scores, -settings.top_k, -1)[:, -settings.top_k, None]] = NEVER
    order = np.argsort(-scores, -1, kind="stable")
    chances = np.exp(likely(np.take_along_axis(scores, order, -1)))
    before = chances.cumsum(-1) - chances
    if settings.top_p < 1.0:
        chances[(before >= settings.top_p) & (before > 0)] = 0
    sums = chances.cumsum(-1)
    places = (sums <= random.random((len(sums), 1)) * sums[:, -1:]).sum(-1)
    return np.take_along_axis(order, np.minimum(places, scores.shape[1] - 1)[:, None], -1)[:, 0]


class _Beams:
    """The ``num_beams`` best texts of each row, and those of them that are still being written."""

    def __init__(self, prompt: np.ndarray, starts: np.ndarray, rules: Rules) -> None:
        import numpy as np

        self.rules, self.beams, self.starts = rules, rules.settings.num_beams, starts
        self.early = rules.settings.early_stopping is True
        shape = (len(prompt), self.beams)
        self.ids = np.zeros((*shape, rules.longest), np.int64)  # being written
        self.ids[..., : rules.prompt] = prompt[:, None]
        self.scores = np.zeros(shape, np.float32)
        self.scores[:, 1:] = LOW  # all begin alike: only the first goes on
        self.written, self.finals = self.ids.copy(), np.full(shape, LOW, np.float32)
        self.over = np.zeros(shape, bool)  # of those written
        self.open = np.ones(len(prompt), bool)  # rows that can still become better
        self.rows = np.arange(len(prompt))  # that are still being written

    def run(self, step: Step[State], state: State) -> np.ndarray:
        """The best text of each row behind its prompt (rows × tokens)."""
        import numpy as np

        tokens, origins, count = self.ids[:, 0, : self.rules.prompt], None, 1
        for length in range(self.rules.prompt, self.rules.longest):
            logits, state = step(tokens, state, origins)
            parents = self._extend(logits.reshape(len(self.rows), count, -1), length)
            self._close(length + 1)
            full = self.over[self.rows].all(-1) & self.early
            alive = self.open[self.rows] & ~full
            if not alive.any():
                break
            kept = np.flatnonzero(alive) if alive.mean() <= KEPT else np.arange(len(self.rows))
            origins = (kept[:, None] * count + parents[kept]).reshape(-1)
            self.rows, count = self.rows[kept], self.beams
            tokens = self.ids[self.rows, :, length].reshape(-1, 1)
        return self.written[:, 0]

    def _extend(self, logits: np.ndarray, length: int) -> np.ndarray:
        """Go on with the best tokens behind all beams (rows × beams × vocabulary; at first one beam, they are alike), and
        put aside what ended; which beam each goes on from (rows × beams)."""
        import numpy as np

        ids = self.ids[self.rows]
        scores = self._scores(ids, logits, length)
        keep = max(2, 1 + len(self.rules.ends)) * self.beams
        best = _top(scores.reshape(len(ids), -1), keep)
        totals = np.take_along_axis(scores.reshape(len(ids), -1), best, 1)
        parents, tokens = np.divmod(best, logits.shape[-1])
        texts = np.take_along_axis(ids, parents[..., None], 1)
        texts[..., length] = tokens
        ended = np.isin(tokens, self.rules.ends) | (length + 1 >= self.rules.longest)
        running = totals + ended * np.float32(LOW)
        going = _top(running, self.beams)
        self.ids[self.rows] = np.take_along_axis(texts, going[..., None], 1)
        self.scores[self.rows] = np.take_along_axis(running, going, 1)
        self._finish(texts, totals, ended, length + 1)
        return parents[np.arange(len(ids))[:, None], going] if logits.shape[1] > 1 else np.zeros_like(going)

    def _scores(self, ids: np.ndarray, logits: np.ndarray, length: int) -> np.ndarray:
        """Of each text with each token behind it (rows × beams × vocabulary)."""
        import numpy as np

        rows, count, vocabulary = logits.shape
        before, starts = ids[:, :count, :length].reshape(-1, length), np.repeat(self.starts[self.rows], count)
        found = self.rules.apply(before, starts, likely(logits.reshape(-1, vocabulary)))
        return found.reshape(rows, count, vocabulary) + self.scores[self.rows, :, None]

    def _finish(self, texts: np.ndarray, totals: np.ndarray, ended: np.ndarray, length: int) -> None:
        """Keep the best of the texts that ended, these and those from before."""
        import numpy as np

        ended = ended & (np.arange(ended.shape[1]) < self.beams)  # the others are there to go on with
        finals = self._final(totals, length)
        finals += (self.over[self.rows].all(-1, keepdims=True) & self.early) * np.float32(LOW)
        finals += ~self.open[self.rows, None] * np.float32(LOW)
        finals += ~ended * np.float32(LOW)
        finals = np.concatenate([self.finals[self.rows], finals], 1)
        best = _top(finals, self.beams)
        texts = np.concatenate([self.written[self.rows], texts], 1)
        self.written[self.rows] = np.take_along_axis(texts, best[..., None], 1)
        self.finals[self.rows] = np.take_along_axis(finals, best, 1)
        self.over[self.rows] = np.take_along_axis(np.concatenate([self.over[self.rows], ended], 1), best, 1)

    def _final(self, totals: np.ndarray, length: int) -> np.ndarray:
        """The score of texts that are ``length`` tokens long, prompt included."""
        found: np.ndarray = totals / (length - self.rules.prompt) ** self.rules.settings.length_penalty
        return found

    def _close(self, length: int) -> None:
        """Close the rows where what is being written can no longer become better than the worst that is written."""
        import numpy as np

        settings = self.rules.settings
        if settings.early_stopping == "never" and settings.length_penalty > 0:
            length = self.rules.longest
        hoped = self._final(self.scores[self.rows, :1], length)
        worst = np.where(self.over[self.rows], self.finals[self.rows].min(1, keepdims=True), np.float32(LOW))
        self.open[self.rows] &= (hoped > worst).any(-1)


def _top(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the best ``count`` of each row, the best first."""
    import numpy as np

    if count < scores.shape[1] // 4:  # sorting all of a vocabulary would take longer than the model
        places = np.sort(np.argpartition(scores, -count, 1)[:, -count:], 1)
        return np.take_along_axis(places, _top(np.take_along_axis(scores, places, 1), count), 1)
    return np.argsort(-scores, 1, kind="stable")[:, :count]
