"""What a training is set up with: precision, optimizer, penalties."""

from __future__ import annotations

import pkgutil
from typing import Any

from pipeline.backends import Limits, Training
from pipeline.backends.checkpoint import Tensors
from pipeline.fields import require

LIMITS: Limits = {}


def bf16(precision: str, device: Any) -> bool:
    """Whether to multiply in bfloat16: where it is wanted, or where it is fast."""
    import torch

    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capable: dict[str, Any] = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(capable.get("avx512_bf16") or capable.get("amx_bf16"))


def optimizer(net: Any, training: Training) -> Any:
    """The optimizer of this name, in one kernel where there is one; those with weight decay decay no biases and norms.

    Raises:
        UserError: the device does not have it.
    """
    import torch

    rate, parameters = training.learning_rate, [p for p in net.parameters() if p.requires_grad]
    decaying = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    match training.optimizer:
        case "adamw":
            return torch.optim.AdamW(decaying, lr=rate, fused=True)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate)
        case "momentum":
            return torch.optim.SGD(parameters, lr=rate, momentum=training.momentum)
        case "adafactor":
            from transformers.optimization import Adafactor

            return Adafactor(decaying, lr=rate, relative_step=False, scale_parameter=False)
        case "adamw_8bit" | "paged_adamw_8bit":
            return _eight_bit(training.optimizer, parameters[0].device.type)(decaying, lr=rate)
    return torch.optim.SGD(parameters, lr=rate)


def _eight_bit(name: str, device: str) -> Any:
    """AdamW with moments of 8 bits (Dettmers et al. 2022), paged where that is asked for (Dettmers et al. 2023)."""
    known = ("cuda", "xpu") if name.startswith("paged") else ("cpu", "cuda", "xpu")
    others = "use training.optimizer=adamw_8bit" if device == "cpu" else "use training.optimizer=adafactor"
    require(
        device in known, f"training.optimizer={name}: needs {' or '.join(known)}, and this runs on {device}; {others}"
    )
    # By its name: were it imported, every training would depend on whether it is installed.
    return pkgutil.resolve_name(f"bitsandbytes.optim:{'Paged' if name.startswith('paged') else ''}AdamW8bit")


def moments(optimizer: Any) -> Tensors:
    """What an optimizer remembers, by the number of the parameter and its own name for it."""
    import numpy as np

    return {
        f"{number}.{name}": value.cpu().numpy() if hasattr(value, "cpu") else np.asarray(value)
        for number, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
        if value is not None
    }


def set_moments(optimizer: Any, tensors: Tensors) -> None:
    """Put back what :func:`moments` gave."""
    import torch

    found: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        number, _, moment = name.partition(".")
        count = value.ndim == 0 and value.dtype.kind == "i"  # of steps, where it is no tensor
        found.setdefault(int(number), {})[moment] = int(value) if count else torch.from_numpy(value)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": found})
    if hasattr(optimizer, "get_state_buffer"):  # of bitsandbytes, which loads what was paged into the GPU's memory
        for parameter in _parameters(optimizer):
            state = optimizer.state.get(parameter, {})
            for name in state.keys() & {"state1", "state2"}:
                state[name] = optimizer.get_state_buffer(parameter, dtype=state[name].dtype).copy_(state[name])


def _parameters(optimizer: Any) -> list[Any]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def save_memory(net: Any) -> None:
    """Let the layers of ``net`` compute their answers again on the way back; dropout drops the same again.

    Raises:
        UserError: the network cannot.
    """
    require(
        net.supports_gradient_checkpointing,
        f"training.gradient_checkpointing=true: models of the type {net.config.model_type} cannot; leave it out",
    )
    net.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def penalize(net: Any, training: Training) -> None:
    """Add the gradients of ``l1`` · Σ|w| and ``l2`` · Σw² over all weights that are no biases and norms."""
    if not (training.l1 or training.l2):
        return
    for parameter in net.parameters():
        if parameter.grad is not None and parameter.ndim > 1:
            weights = parameter.detach()
            parameter.grad.add_(weights.sign(), alpha=training.l1).add_(weights, alpha=2 * training.l2)
