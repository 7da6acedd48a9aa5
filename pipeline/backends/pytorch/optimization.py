"""What a training is set up with: precision, optimizer, penalties."""

from __future__ import annotations

from typing import Any

from pipeline.backends import Training


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
    """The optimizer of this name, in one kernel where there is one; AdamW decays no biases and norms."""
    import torch

    rate, parameters = training.learning_rate, [p for p in net.parameters() if p.requires_grad]
    match training.optimizer:
        case "adamw":
            groups = [
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ]
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate)
        case "momentum":
            return torch.optim.SGD(parameters, lr=rate, momentum=training.momentum)
    return torch.optim.SGD(parameters, lr=rate)


def penalize(net: Any, training: Training) -> None:
    """Add the gradients of ``l1`` · Σ|w| and ``l2`` · Σw² over all weights that are no biases and norms."""
    if not (training.l1 or training.l2):
        return
    for parameter in net.parameters():
        if parameter.grad is not None and parameter.ndim > 1:
            weights = parameter.detach()
            parameter.grad.add_(weights.sign(), alpha=training.l1).add_(weights, alpha=2 * training.l2)
