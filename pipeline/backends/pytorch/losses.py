"""What each head minimizes: a sum over what a batch has to learn, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.backends.data import NEVER, Criterion
from pipeline.features import IGNORED

if TYPE_CHECKING:
    import torch


def _labels(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, criterion: Criterion) -> torch.Tensor:
    """Cross-entropy (nats) of rows × labels, or of rows × length × tags where tokens have one."""
    import torch

    return torch.nn.functional.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), criterion.class_weights, ignore_index=IGNORED, reduction="sum",
        label_smoothing=criterion.label_smoothing,
    )  # fmt: skip


def _several(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, criterion: Criterion) -> torch.Tensor:
    """Binary cross-entropy (nats), a mean over labels."""
    import torch

    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return each.mean(-1).sum()


def _numbers(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, criterion: Criterion) -> torch.Tensor:
    """The squared error; or Huber's loss (1964), twice, so that small errors count the same."""
    import torch

    if criterion.huber:
        return 2 * torch.nn.functional.huber_loss(logits[:, 0], targets, reduction="sum", delta=criterion.huber)
    return torch.nn.functional.mse_loss(logits[:, 0], targets, reduction="sum")


def _ends(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, criterion: Criterion) -> torch.Tensor:
    """Cross-entropy (nats) over the tokens of a row, a mean of first and last token."""
    import torch

    scores = logits.masked_fill(mask[..., None] == 0, NEVER)
    return torch.nn.functional.cross_entropy(scores, targets, reduction="sum") / 2


def _choices(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, criterion: Criterion) -> torch.Tensor:
    """Cross-entropy (nats) over the choices of each question."""
    import torch

    question, right = targets.T
    same = question[:, None] == question
    whole = torch.logsumexp(logits[:, 0].expand_as(same).masked_fill(~same, NEVER), -1)
    return (right * (whole - logits[:, 0])).sum()


def _words(
    logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor | None, criterion: Criterion
) -> torch.Tensor:
    """Cross-entropy (nats) of places × vocabulary, of places that have a target."""
    import torch

    smoothing = criterion.label_smoothing
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)


Loss = Callable[[Any, Any, Any, Criterion], Any]
LOSSES: dict[str, Loss] = {
    "classification": _labels,
    "multilabel": _several,
    "regression": _numbers,
    "tagging": _labels,
    "questions": _ends,
    "choice": _choices,
    "seq2seq": _words,
    "causal": _words,
    "masked": _words,
}
