"""The PyTorch backend: transformers models, accelerate below them."""

from pipeline.backends.pytorch import network
from pipeline.backends.pytorch.finetune import finetune
from pipeline.backends.pytorch.predict import predict

__all__ = ["HEADS", "KINDS", "finetune", "predict"]

KINDS: tuple[str, ...] = ()  # whatever transformers has a head for
HEADS = tuple(network.HEADS)
