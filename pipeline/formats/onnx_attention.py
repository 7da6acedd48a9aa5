"""Attention as one operator of ONNX Runtime, which is faster than the dozen that PyTorch exports it as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "onnx-attention"
OPERATOR = "MultiHeadAttention"  # of the domain com.microsoft


def use(network: Any) -> None:
    """Let ``network`` be exported this way, if its attention can be exchanged; it cannot be run then."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    if not (hasattr(network, "_can_set_attn_implementation") and network._can_set_attn_implementation()):
        return  # it has an attention of its own kind, or none
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    network.set_attn_implementation(NAME)


def attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention (Vaswani et al. 2017), heads of shape (batch, heads, length, size)."""
    import torch

    from pipeline.backends.pytorch.attention import a_head_each, summed

    key, value = a_head_each(query, key, value)
    batch, heads, length, size = query.shape
    flat = [tensor.transpose(1, 2).flatten(2) for tensor in (query, key, value)]
    found: torch.Tensor = torch.onnx.ops.symbolic(
        f"com.microsoft::{OPERATOR}",
        (*flat, None, None, summed(position_bias, attention_mask)),
        {"num_heads": heads, "scale": size**-0.5 if scaling is None else scaling},
        dtype=query.dtype, shape=(batch, length, heads * size), version=1,
    )  # fmt: skip
    return found.reshape(batch, length, heads, size), None
