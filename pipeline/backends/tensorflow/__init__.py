"""The TensorFlow backend: Keras 3 and KerasHub, from and to checkpoints of transformers."""

from pipeline.backends.tensorflow.finetune import finetune
from pipeline.backends.tensorflow.heads import TRAINED as KINDS
from pipeline.backends.tensorflow.optimization import LIMITS
from pipeline.backends.tensorflow.predict import predict

__all__ = ["KINDS", "LIMITS", "finetune", "predict"]
