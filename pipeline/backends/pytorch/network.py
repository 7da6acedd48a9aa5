"""Transformers models with the head that a task needs, and running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model
from pipeline.backends import Training, classical, heads
from pipeline.backends.batches import Ragged, by_length
from pipeline.backends.pytorch import classical as networks
from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch

HEADS = {"classification": "AutoModelForSequenceClassification"}


def load(base: Model, head: str, labels: Sequence[str], training: Training, seen: np.ndarray) -> Any:
    """The network in ``base`` with this head for ``labels``, in fp32; a head that it lacks is made anew.

    Args:
        seen: the token ids of the training texts; a network that is trained from scratch knows no others.

    Raises:
        UserError: transformers has no such head for the model.
    """
    import torch
    import transformers

    config = base.read("config.json")
    if classical.described(config):
        config |= heads.settings(base, labels, training)
        return networks.new(config, classical.weights(config, training.seed, seen))
    try:
        network, report = getattr(transformers, HEADS[head]).from_pretrained(
            base.path,
            dtype=torch.float32,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **heads.settings(base, labels, training),
        )
    except ValueError as error:
        if "Unrecognized" not in str(error) and "trust_remote_code" not in str(error):
            raise
        raise UserError(
            f"base.model: a {config.get('model_type')} model cannot do {head}; choose a BERT, RoBERTa, DeBERTa or the like"
        ) from None
    new = {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
    for name, found, wanted in sorted(report["mismatched_keys"]):
        if name.startswith(f"{network.base_model_prefix}."):
            shapes = f"is of shape {tuple(found)}, but by config.json of {tuple(wanted)}"
            raise UserError(f"base.model: {name} {shapes}; get it again")
    if not heads.fits(base, labels):
        new |= {name for name in network.state_dict() if not name.startswith(f"{network.base_model_prefix}.")}
    _refresh(network, new, training.seed)
    return network


def _refresh(network: Any, new: set[str], seed: int) -> None:
    """Give the tensors that are ``new`` their first weights; norms keep theirs, which are ones and zeros."""
    import torch

    scale = getattr(network.config, "initializer_range", heads.SCALE)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name in new and (tensor.ndim > 1 or name.endswith("bias")):
                tensor.copy_(torch.from_numpy(heads.fresh(name, tensor.shape, scale, seed)))


def load_saved(folder: Path) -> Any:
    """The network in ``folder`` as it was saved, head and all, in fp32."""
    import torch
    import transformers

    architecture = transformers.PretrainedConfig.get_config_dict(folder)[0]["architectures"][0]
    found = networks.classes().get(architecture) or getattr(transformers, architecture)
    return found.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)


def device() -> torch.device:
    """Where to run: a GPU if there is one."""
    import torch
    from accelerate import PartialState

    found: torch.device = PartialState().device
    if found.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # as for products of matrices: else fp32 is not, on newer GPUs
    return found


def logits(
    network: Any,
    split: Ragged,
    pad: int,
    batch_size: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
    renumber: Callable[[np.ndarray], np.ndarray] = lambda ids: ids,
) -> np.ndarray:
    """What ``network`` answers to a split (float32, examples × labels), in the split's own order.

    Args:
        renumber: applied to the token ids, for a network with a vocabulary of its own.
    """
    import numpy as np
    import torch

    answers = np.zeros((len(split), network.config.num_labels), np.float32)
    training = network.training
    network.eval()
    with torch.inference_mode():
        for batch in by_length(split.lengths, batch_size):
            ids, mask = split.padded(batch, pad)
            answers[batch] = run(network, renumber(ids), mask).float().cpu().numpy()
            advance(len(batch))
    network.train(training)
    return answers


def run(network: Any, ids: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    """Logits (batch × labels) for ``input_ids`` and ``attention_mask`` (int64, batch × length)."""
    import torch

    where = next(network.parameters()).device
    answers: torch.Tensor = network(
        input_ids=torch.from_numpy(ids).to(where), attention_mask=torch.from_numpy(mask).to(where)
    ).logits
    return answers
