"""How what a model writes begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.artifacts import Model


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
    """Have what is written begin and end as what was learned."""
    for setting, name in (("decoder_start_token_id", "start"), ("forced_bos_token_id", "forced")):
        if name in special:
            setattr(settings, setting, special[name])
    if "end" in special:
        known = settings.eos_token_id
        ends = known if isinstance(known, list) else [] if known is None else [known]
        if special["end"] not in ends:
            settings.eos_token_id = [*ends, special["end"]] if ends else special["end"]
