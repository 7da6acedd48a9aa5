"""What a training is set up with: precision, optimizer, weights of the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.backends import Training

if TYPE_CHECKING:
    import numpy as np


def bf16(precision: str, device: Any) -> bool:
    """Whether to multiply in bfloat16: where it is wanted, or where it is fast."""
    import torch

    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capable: dict[str, Any] = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(capable.get("avx512_bf16") or capable.get("amx_bf16"))


def adamw(net: Any, training: Training) -> Any:
    """AdamW (Loshchilov & Hutter 2019), in one kernel; no decay on biases and norms."""
    import torch

    parameters = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)


def class_weights(training: Training, labels: np.ndarray, count: int) -> Any:
    """A factor for each label: 1, or rows / (labels × rows of the label), as scikit-learn's "balanced"."""
    import numpy as np
    import torch

    if training.class_weights == "none":
        return torch.ones(count)
    rows = np.bincount(labels, minlength=count)
    return torch.from_numpy(len(labels) / (count * np.maximum(rows, 1))).float()
