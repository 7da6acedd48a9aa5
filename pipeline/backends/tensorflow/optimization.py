"""Optimizers, as PyTorch has them: the same names, the same numbers.

Keras' own differ in details that show in a comparison (where epsilon stands, what momentum is multiplied with), and
update in many passes over the weights where TensorFlow has one kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.backends import Limits, Training
from pipeline.backends.tensorflow.ports import Port

if TYPE_CHECKING:
    import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
ALPHA = 0.99  # of RMSprop
MOMENTS = {
    "adamw": ("mean", "square"),
    "adam": ("mean", "square"),
    "rmsprop": ("square",),
    "momentum": ("velocity",),
    "sgd": (),
}
LIMITS: Limits = {
    "optimizer": tuple(MOMENTS),
    "adapter": ("none",),
    "gradient_checkpointing": (False,),
    "packing": (False,),
}


class Optimizer:
    """Updates the variables of ``ports`` by their gradients."""

    def __init__(self, training: Training, ports: Sequence[Port]) -> None:
        import tensorflow as tf

        self.training, self.ports = training, ports
        self.steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.moments = {
            moment: [tf.Variable(tf.zeros(port.variable.shape), trainable=False) for port in ports]
            for moment in MOMENTS[training.optimizer]
        }

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """One update; gradients are penalized and clipped first."""
        import tensorflow as tf

        self.steps.assign_add(tf.ones([], tf.int64))
        clipped = self._clipped([self._penalized(*pair) for pair in zip(gradients, self.ports, strict=True)])
        update = {"adamw": self._adam, "adam": self._adam, "rmsprop": self._rmsprop, "momentum": self._momentum}
        for number, gradient in enumerate(clipped):
            update.get(self.training.optimizer, self._sgd)(number, gradient, rate)

    def state(self) -> dict[str, np.ndarray]:
        """Moments and the count of steps."""
        found = {
            f"{moment}.{port.name}": variable.numpy()
            for moment, variables in self.moments.items()
            for port, variable in zip(self.ports, variables, strict=True)
        }
        return {**found, "steps": self.steps.numpy()}

    def set_state(self, tensors: dict[str, np.ndarray]) -> None:
        """Put back what :meth:`state` gave."""
        self.steps.assign(tensors["steps"])
        for moment, variables in self.moments.items():
            for port, variable in zip(self.ports, variables, strict=True):
                variable.assign(tensors[f"{moment}.{port.name}"])

    def _penalized(self, gradient: Any, port: Port) -> Any:
        import tensorflow as tf

        gradient, training = tf.convert_to_tensor(gradient), self.training  # of an embedding it is sparse
        if port.is_matrix and training.l1:
            gradient += training.l1 * tf.sign(_raw(port.variable))
        if port.is_matrix and training.l2:
            gradient += 2 * training.l2 * _raw(port.variable)
        return gradient

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        import tensorflow as tf

        most = self.training.max_grad_norm
        if not most:
            return gradients
        norm = tf.sqrt(2 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients]))
        scale = tf.minimum(1.0, most / (norm + 1e-6))  # as torch.nn.utils.clip_grad_norm_
        return [gradient * scale for gradient in gradients]

    def _adam(self, number: int, gradient: Any, rate: Any) -> None:
        """Adam (Kingma & Ba 2015); AdamW (Loshchilov & Hutter 2019) decays the weights themselves before."""
        import tensorflow as tf

        port = self.ports[number]
        variable = _raw(port.variable)
        if self.training.optimizer == "adamw" and self.training.weight_decay and port.is_matrix:
            variable.assign(variable * (1 - rate * self.training.weight_decay))
        steps = tf.cast(self.steps, tf.float32)
        power1, power2 = tf.pow(BETA1, steps), tf.pow(BETA2, steps)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=self.moments["mean"][number].handle, v=self.moments["square"][number].handle,
            beta1_power=power1, beta2_power=power2, lr=rate, beta1=BETA1, beta2=BETA2,
            epsilon=EPSILON * tf.sqrt(1 - power2),  # the kernel adds it before the bias is corrected
            grad=gradient,
        )  # fmt: skip

    def _rmsprop(self, number: int, gradient: Any, rate: Any) -> None:
        """RMSprop (Tieleman & Hinton 2012)."""
        import tensorflow as tf

        square = self.moments["square"][number]
        square.assign(ALPHA * square + (1 - ALPHA) * gradient * gradient)
        _raw(self.ports[number].variable).assign_sub(rate * gradient / (tf.sqrt(square) + EPSILON))

    def _momentum(self, number: int, gradient: Any, rate: Any) -> None:
        velocity = self.moments["velocity"][number]
        velocity.assign(self.training.momentum * velocity + gradient)
        _raw(self.ports[number].variable).assign_sub(rate * velocity)

    def _sgd(self, number: int, gradient: Any, rate: Any) -> None:
        _raw(self.ports[number].variable).assign_sub(rate * gradient)


def _raw(variable: Any) -> Any:
    """The variable of TensorFlow inside one of Keras."""
    return variable.value
