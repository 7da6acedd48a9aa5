"""What every attention of our own begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def a_head_each(query: torch.Tensor, *shared: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Keys and values (batch, heads, length, size) for every head of ``query``; grouped queries share them (Ainslie et al.
    2023)."""
    groups = query.shape[1] // shared[0].shape[1]
    return shared if groups == 1 else tuple(tensor.repeat_interleave(groups, dim=1) for tensor in shared)


def summed(*added: torch.Tensor | None) -> torch.Tensor | None:
    """What is added to the scores: of mask and positions, those that there are."""
    found = None
    for tensor in added:
        if tensor is not None:
            found = tensor if found is None else found + tensor
    return found
