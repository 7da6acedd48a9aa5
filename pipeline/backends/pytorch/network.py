"""Transformers models with the head that a task needs, and running them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model
from pipeline.backends import Training, batches, classical, heads
from pipeline.backends.pytorch import classical as networks
from pipeline.errors import UserError
from pipeline.features import Features, Inputs

if TYPE_CHECKING:
    import numpy as np
    import torch

HEADS = {
    "classification": "AutoModelForSequenceClassification",
    "multilabel": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification",
    "questions": "AutoModelForQuestionAnswering",
    "choice": "AutoModelForMultipleChoice",
}
OF_TOKENS = ("ForTokenClassification", "ForQuestionAnswering")  # classes that answer for each token


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
        classical.check(head)
        config |= heads.settings(base, head, labels, training)
        return networks.new(config, classical.weights(config, training.seed, seen))
    try:
        network, report = getattr(transformers, HEADS[head]).from_pretrained(
            base.path,
            dtype=torch.float32,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **heads.settings(base, head, labels, training),
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
    if not heads.fits(base, head, labels):
        new |= {name for name in network.state_dict() if not name.startswith(f"{network.base_model_prefix}.")}
    _refresh(network, new, training.seed)
    if head == "regression":
        _check_bias(network)
    return network


def _check_bias(network: Any) -> None:
    if not any(heads.ends(name, tensor.shape) for name, tensor in network.named_parameters()):
        raise UserError(
            f"base.model: the head of a {network.config.model_type} model has no bias, which numbers need; choose a BERT, "
            "RoBERTa, DeBERTa or the like"
        )


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


def answers(
    network: Any,
    features: Features,
    batch_size: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
    renumber: Callable[[Inputs], Inputs] = lambda inputs: inputs,
) -> np.ndarray:
    """What ``network`` answers, as :func:`pipeline.backends.batches.answers` has it.

    Args:
        renumber: applied to the inputs, for a network with a vocabulary of its own.
    """
    import torch

    training = network.training
    network.eval()
    with torch.inference_mode():
        found = batches.answers(
            lambda inputs: run(network, renumber(inputs)).float().cpu().numpy(),
            features, batch_size, network.config.num_labels,
            tokens=type(network).__name__.endswith(OF_TOKENS), advance=advance,
        )  # fmt: skip
    network.train(training)
    return found


def run(network: Any, inputs: Inputs) -> torch.Tensor:
    """Logits (batch × outputs, or batch × length × outputs) for ``input_ids`` and the like (int64, batch × length)."""
    import torch

    where = next(network.parameters()).device
    return forward(network, {name: torch.from_numpy(values).to(where) for name, values in inputs.items()})


def forward(network: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The same of tensors.  A network for multiple choice is given one choice at a time, and says how well it fits."""
    import torch

    if type(network).__name__.endswith("ForMultipleChoice"):
        inputs = {name: values[:, None] for name, values in inputs.items()}
    found = network(**inputs)
    if "start_logits" in found:
        return torch.stack([found.start_logits, found.end_logits], -1)
    logits: torch.Tensor = found.logits
    return logits
