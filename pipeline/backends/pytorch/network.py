"""Transformers models with the head that a task needs, and running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.backends.batches import Ragged, by_length
from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

HEADS = {"classification": "AutoModelForSequenceClassification"}


def load(folder: Path, head: str, **options: Any) -> Any:
    """The network in ``folder`` with this head, in fp32; a head that the folder lacks is made anew.

    Raises:
        UserError: transformers has no such head for the model.
    """
    import torch
    import transformers

    try:
        return getattr(transformers, HEADS[head]).from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, **options
        )
    except ValueError as error:
        if "Unrecognized" not in str(error) and "trust_remote_code" not in str(error):
            raise
        kind = transformers.PretrainedConfig.get_config_dict(folder)[0].get("model_type")
        raise UserError(
            f"base.model: a {kind} model cannot do {head}; choose a BERT, RoBERTa, DeBERTa or the like"
        ) from None


def load_saved(folder: Path) -> Any:
    """The network in ``folder`` as it was saved, head and all, in fp32."""
    import torch
    import transformers

    architecture = transformers.PretrainedConfig.get_config_dict(folder)[0]["architectures"][0]
    return getattr(transformers, architecture).from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)


def with_new_head(network: Any) -> Any:
    """The same body under a head with fresh weights, drawn from PyTorch's current random state."""
    fresh = type(network)(network.config)
    setattr(fresh, network.base_model_prefix, network.base_model)
    return fresh


def pad_id(folder: Path) -> int:
    """The padding token's id, by the tokenizer in ``folder``."""
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(folder, trust_remote_code=False).pad_token_id
    return 0 if found is None else int(found)


def device() -> torch.device:
    """Where to run: a GPU if there is one."""
    from accelerate import PartialState

    found: torch.device = PartialState().device
    return found


def logits(
    network: Any,
    split: Ragged,
    pad: int,
    batch_size: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
    rows: Sequence[int] | None = None,
    renumber: Callable[[np.ndarray], np.ndarray] = lambda ids: ids,
) -> np.ndarray:
    """What ``network`` answers to a split (float32, examples × labels), in the split's own order.

    Args:
        rows: only these.
        renumber: applied to the token ids, for a network with a vocabulary of its own.
    """
    import numpy as np
    import torch

    chosen = np.arange(len(split)) if rows is None else np.asarray(rows)
    answers = np.zeros((len(chosen), network.config.num_labels), np.float32)
    where = next(network.parameters()).device
    training = network.training
    network.eval()
    with torch.inference_mode():
        for batch in by_length(split.lengths[chosen], batch_size):
            ids, mask = split.padded(chosen[batch], pad)
            inputs = {"input_ids": torch.from_numpy(renumber(ids)), "attention_mask": torch.from_numpy(mask)}
            found = network(**{name: value.to(where) for name, value in inputs.items()}).logits
            answers[batch] = found.float().cpu().numpy()
            advance(len(batch))
    network.train(training)
    return answers
