"""Dropout for processors whose random numbers are slow.

PyTorch draws one Bernoulli number an element, on one thread: a fifth of a training step of a
small model on a CPU.  Here eight elements share one 64-bit draw, a byte each, so rates are
multiples of 1/256; what is kept is scaled by exactly what was dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.backends.pytorch.attention import a_head_each, summed

if TYPE_CHECKING:
    import torch

NAME = "dropout-by-byte"  # of the attention that uses it
RATES = (
    "attention_probs_dropout_prob",
    "attention_dropout",
    "attn_pdrop",
    "dropout_rate",
)  # of attention, by model type

# Scores that are computed at once.  An allocator has larger tensors mapped anew each time, and the system clears them
# page by page: half the time of attention over 384 tokens.
MOST = 4_000_000


def use(network: Any) -> None:
    """Let ``network`` drop out this way wherever it trains; it computes the same otherwise."""
    import torch
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    class Dropout(torch.nn.Module):
        def __init__(self, p: float) -> None:
            super().__init__()
            self.p = p

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return drop(values, self.p) if self.training else values

    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is torch.nn.Dropout:
                setattr(module, name, Dropout(child.p))
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    if network.config._attn_implementation in ("sdpa", "eager") and _attention_drops_out(network.config):
        network.set_attn_implementation(NAME)


def _attention_drops_out(config: Any) -> bool:
    """Whether shares of attention are dropped out, in an encoder or a decoder."""
    parts = [part for part in (config, getattr(config, "encoder", None), getattr(config, "decoder", None)) if part]
    return any(getattr(part, name, 0) for part in parts for name in RATES)


def drop(values: torch.Tensor, p: float) -> torch.Tensor:
    """``values`` with a share ``p``, to the next 1/256, set to zero and the rest scaled up."""
    import torch

    dropped = min(255, round(p * 256))
    if not dropped:
        return values
    count = values.numel()
    draws = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept = (draws.view(torch.uint8)[:count] >= dropped).view(values.shape)
    return values * (kept.to(values.dtype) * (256 / (256 - dropped)))


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

    key, value = a_head_each(query, key, value)
    added = summed(position_bias, attention_mask)
    query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    batch, heads, length, _ = query.shape
    rows = max(1, MOST // (heads * length * key.shape[2]))
    parts = [
        _attended(query[i : i + rows], key[i : i + rows], value[i : i + rows], _of(added, i, rows), dropout)
        for i in range(0, batch, rows)
    ]
    return torch.cat(parts) if len(parts) > 1 else parts[0], None


def _attended(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, added: torch.Tensor | None, dropout: float
) -> torch.Tensor:
    import torch

    scores = torch.matmul(query, key.transpose(2, 3))
    if added is not None:
        scores = scores + added
    shares = drop(torch.nn.functional.softmax(scores, dim=-1).to(query.dtype), dropout)
    return torch.matmul(shares, value).transpose(1, 2).contiguous()


def _of(added: torch.Tensor | None, start: int, rows: int) -> torch.Tensor | None:
    """What is added to the scores of some rows; it may be the same for all."""
    return added if added is None or len(added) == 1 else added[start : start + rows]
