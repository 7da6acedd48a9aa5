"""The PyTorch backend: transformers models, accelerate below them."""

from pipeline.backends.pytorch import network
from pipeline.backends.pytorch.finetune import finetune
from pipeline.backends.pytorch.optimization import LIMITS
from pipeline.backends.pytorch.predict import predict

__all__ = ["KINDS", "LIMITS", "finetune", "predict"]

KINDS: dict[str, tuple[str, ...]] = dict.fromkeys(network.HEADS, ())  # whatever transformers has the head for
