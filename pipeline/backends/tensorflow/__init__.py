"""The TensorFlow backend: Keras 3 and KerasHub, from and to checkpoints of transformers."""

from pipeline.backends.tensorflow import architectures, heads
from pipeline.backends.tensorflow.finetune import finetune
from pipeline.backends.tensorflow.predict import predict

__all__ = ["HEADS", "KINDS", "finetune", "predict"]

KINDS = tuple(architectures.KINDS)
HEADS = tuple(heads.CLASSES)
