"""How what a model writes begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts import Model

# Settings of GenerationConfig that count only where tokens are drawn, or where there are beams: where they do not, transformers
# refuses to save them, and many a base model has them.
OF_DRAWS = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
OF_BEAMS = ("early_stopping", "length_penalty")


def settings(base: Model, special: Mapping[str, int]) -> Any:
    """``transformers.GenerationConfig`` of a model that learned from ``base``.

    Args:
        special: see :class:`pipeline.features.Features`.
    """
    from transformers import AutoConfig, GenerationConfig

    if (base.path / "generation_config.json").is_file():
        found = GenerationConfig.from_pretrained(base.path)
    else:
        found = GenerationConfig.from_model_config(AutoConfig.from_pretrained(base.path, trust_remote_code=False))
    settle(found, special)
    return found


def settle(settings: Any, special: Mapping[str, int]) -> None:
    """Have what is written begin and end as what was learned, one text each time, and leave out what does not count."""
    for setting, name in (("decoder_start_token_id", "start"), ("forced_bos_token_id", "forced")):
        if name in special:
            setattr(settings, setting, special[name])
    if "end" in special:
        known = settings.eos_token_id
        ends = known if isinstance(known, list) else [] if known is None else [known]
        if special["end"] not in ends:
            settings.eos_token_id = [*ends, special["end"]] if ends else special["end"]
    for name in idle(do_sample=bool(settings.do_sample), num_beams=settings.num_beams or 1):
        setattr(settings, name, None)


def idle(*, do_sample: bool, num_beams: int) -> dict[str, None]:
    """What of ``transformers.GenerationConfig`` does not count where a text is written like this."""
    return dict.fromkeys((*OF_DRAWS * (not do_sample), *OF_BEAMS * (num_beams == 1), "num_return_sequences"))
