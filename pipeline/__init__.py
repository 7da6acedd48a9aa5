"""Fine-tune pretrained Transformers, by recipe."""

__version__ = "0.1.0"
