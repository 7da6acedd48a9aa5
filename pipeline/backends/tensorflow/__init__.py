"""The TensorFlow backend: Keras 3 and KerasHub, from and to checkpoints of transformers."""

from pipeline.backends.tensorflow import architectures
from pipeline.backends.tensorflow.finetune import finetune
from pipeline.backends.tensorflow.predict import predict

__all__ = ["KINDS", "finetune", "predict"]

KINDS = tuple(architectures.KINDS)
