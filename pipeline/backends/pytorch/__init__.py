"""The PyTorch backend: transformers models, our own loop, accelerate below it."""

from pipeline.backends.pytorch.export import export
from pipeline.backends.pytorch.finetune import finetune
from pipeline.backends.pytorch.predict import predict

__all__ = ["export", "finetune", "predict"]
