"""How a text is written: the settings of transformers' GenerationConfig, and what they do to the scores of tokens.

Everything is as in transformers (generation/logits_process.py), in its order, so that the same settings give the same
texts; but in numpy, for models that run without PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np

NEVER = -float("inf")
# What cannot be done here, and the values with which it asks for nothing.
REFUSED: dict[str, tuple[Any, ...]] = {
    "assistant_early_exit": (),
    "constraints": (),
    "encoder_no_repeat_ngram_size": (0,),
    "encoder_repetition_penalty": (1.0,),
    "exponential_decay_length_penalty": (),
    "force_words_ids": (),
    "guidance_scale": (1.0,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "penalty_alpha": (0.0,),
    "prompt_lookup_num_tokens": (),
    "sequence_bias": (),
    "stop_strings": (),
    "token_healing": (False,),
    "watermarking_config": (),
}
# The same, of settings that mean something only where tokens are drawn.
OF_DRAWING: dict[str, tuple[Any, ...]] = {
    "epsilon_cutoff": (0.0,),
    "eta_cutoff": (0.0,),
    "min_p": (0.0,),
    "top_h": (),
    "typical_p": (1.0,),
}
LENGTH = 20  # new tokens where no setting says how many


@dataclass(frozen=True)
class Settings:
    """How to write, with the names and defaults of GenerationConfig."""

    num_beams: int = 1
    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int | None = None
    min_length: int = 0
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    renormalize_logits: bool = False
    bad_words_ids: tuple[tuple[int, ...], ...] = ()
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()
    forced_bos_token_id: int | None = None
    forced_eos_token_id: tuple[int, ...] = ()
    eos_token_id: tuple[int, ...] = ()
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    decoder_start_token_id: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Those of ``generation_config.json``, say; ``None`` leaves a setting as it is by default.

        Raises:
            UserError: one asks for what is not done here.
        """
        given = {name: value for name, value in values.items() if value is not None}
        refused = REFUSED | (OF_DRAWING if given.get("do_sample") else {})
        for name in sorted(refused.keys() & given.keys()):
            if given[name] not in refused[name]:
                raise UserError(
                    f"{name}={given[name]}: cannot be done without PyTorch; take it out of generation_config.json"
                )
        if given.get("do_sample") and given.get("num_beams", 1) > 1:
            raise UserError(
                f"do_sample, num_beams={given['num_beams']}: beams are not drawn here; choose one of the two"
            )
        known = {field.name for field in fields(cls)}
        return cls(**{name: _frozen(name, value) for name, value in given.items() if name in known})


def _frozen(name: str, value: Any) -> Any:
    """Lists as tuples; the id of one token where several are possible as a tuple of it."""
    if name == "bad_words_ids":
        return tuple(tuple(words) for words in value)
    if name in ("eos_token_id", "forced_eos_token_id") and isinstance(value, int):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


class Rules:
    """What may follow what is there.

    Args:
        prompt: tokens that are there from the start: padding included, or 1 for the start of a decoder.

    Raises:
        UserError: the prompt is as long as the longest text already.
    """

    def __init__(self, settings: Settings, prompt: int) -> None:
        self.settings, self.prompt = settings, prompt
        self.longest = self._longest()
        shortest = settings.min_new_tokens
        self.shortest = settings.min_length if shortest is None else prompt + shortest
        self.bad = [words for words in settings.bad_words_ids if not (len(words) == 1 and words[0] in self.ends)]
        if prompt >= self.longest:
            raise UserError(f"max_length={self.longest}: the prompt has {prompt} tokens already; set max_new_tokens")

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a text."""
        return self.settings.eos_token_id

    def _longest(self) -> int:
        if self.settings.max_new_tokens is not None:
            return self.prompt + self.settings.max_new_tokens
        return self.prompt + LENGTH if self.settings.max_length is None else self.settings.max_length

    def apply(self, ids: np.ndarray, starts: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Scores (rows × vocabulary, changed in place) of the tokens that could follow ``ids`` (rows × tokens).

        Args:
            starts: where the text of each row begins, behind the padding.
        """
        settings, length = self.settings, ids.shape[1]
        if settings.repetition_penalty != 1.0:
            _penalize(ids, starts, scores, settings.repetition_penalty)
        if settings.no_repeat_ngram_size > 0:
            _forbid_again(ids, scores, settings.no_repeat_ngram_size)
        for words in self.bad:
            _forbid(ids, scores, words)
        if length < self.shortest:
            scores[:, list(self.ends)] = NEVER
        if settings.forced_bos_token_id is not None and length == 1:
            _force(scores, [settings.forced_bos_token_id])
        if settings.forced_eos_token_id and length == self.longest - 1:
            _force(scores, list(settings.forced_eos_token_id))
        scores[:, list(settings.suppress_tokens)] = NEVER
        if length == self._begin():
            scores[:, list(settings.begin_suppress_tokens)] = NEVER
        return likely(scores) if settings.renormalize_logits else scores

    def _begin(self) -> int:
        """How many tokens stand before the first that is free."""
        forced = self.settings.forced_bos_token_id is not None and self.prompt == 1
        return self.prompt + forced


def likely(logits: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities (rows × vocabulary)."""
    import numpy as np

    found: np.ndarray = logits - logits.max(-1, keepdims=True)
    found -= np.log(np.exp(found).sum(-1, keepdims=True))
    return found


def _penalize(ids: np.ndarray, starts: np.ndarray, scores: np.ndarray, penalty: float) -> None:
    """Make what is there already less likely: Keskar et al. 2019, https://arxiv.org/abs/1909.05858, section 4.1."""
    import numpy as np

    rows, places = np.nonzero((np.arange(ids.shape[1]) >= starts[:, None]) & (ids < scores.shape[1]))
    tokens = ids[rows, places]
    found = scores[rows, tokens]
    scores[rows, tokens] = np.where(found < 0, found * penalty, found / penalty)


def _forbid_again(ids: np.ndarray, scores: np.ndarray, size: int) -> None:
    """Forbid what would end a sequence of ``size`` tokens that is there already."""
    import numpy as np

    if ids.shape[1] < size:
        return
    windows = np.lib.stride_tricks.sliding_window_view(ids, size, axis=1)
    last = ids[:, ids.shape[1] + 1 - size :]
    rows, places = np.nonzero((windows[..., :-1] == last[:, None]).all(-1))
    tokens = windows[rows, places, -1]
    inside = tokens < scores.shape[1]
    scores[rows[inside], tokens[inside]] = NEVER


def _forbid(ids: np.ndarray, scores: np.ndarray, words: tuple[int, ...]) -> None:
    """Forbid the last of some tokens behind the others."""
    before = len(words) - 1
    if before <= ids.shape[1]:
        scores[(ids[:, ids.shape[1] - before :] == words[:-1]).all(-1), words[-1]] = NEVER


def _force(scores: np.ndarray, tokens: list[int]) -> None:
    scores[:] = NEVER
    scores[:, tokens] = 0
