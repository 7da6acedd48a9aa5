"""Layers of Keras that compute the same in fewer passes over memory, for training on a CPU.

TensorFlow runs each operation by itself, so what counts for a small model is how many there are and
how wide they read.  Three are replaced, in the layers of a network that is there: dropout draws one random
byte an element, not one float; GELU and layer normalization say their gradients in closed form.
"""

from __future__ import annotations

import math
from typing import Any

from pipeline.backends.tensorflow import framework


class Noise:
    """Random numbers of dropout: none but ``seed``, the count of steps and the place in the network decide them."""

    def __init__(self, seed: int) -> None:
        tf = framework.tensorflow()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seed = seed
        self._place = 0  # counts while the graph is traced

    def begin(self) -> None:
        """Before each pass through the network."""
        import tensorflow as tf

        self.step.assign_add(tf.ones([], tf.int64))
        self._place = 0

    def bytes(self, count: Any) -> Any:
        """So many random bytes (uint8)."""
        import tensorflow as tf

        self._place += 1
        seed = tf.stack([self.step, tf.constant(self._seed << 16 | self._place, tf.int64)])
        words = tf.random.stateless_uniform([(count + 3) // 4], seed, minval=None, maxval=None, dtype=tf.int32)
        return tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count]


def use(model: Any, noise: Noise) -> None:
    """Let ``model`` train this way; it computes the same."""
    keras = framework.keras()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.call = _dropout(layer, noise)
        elif isinstance(layer, keras.layers.LayerNormalization):
            layer.call = _normalization(layer)
        elif getattr(layer, "activation", None) is keras.activations.gelu:
            layer.activation = gelu


def _dropout(layer: Any, noise: Noise) -> Any:
    """A share of ``rate``, to the next 1/256, set to zero and the rest scaled up; see ``pytorch.dropout``."""
    dropped = min(255, round(layer.rate * 256))

    def call(inputs: Any, training: bool = False) -> Any:
        import tensorflow as tf

        if not training or not dropped:
            return inputs
        kept = noise.bytes(tf.size(inputs)) >= dropped
        scale = tf.cast(256 / (256 - dropped), inputs.dtype)
        return inputs * (tf.reshape(tf.cast(kept, inputs.dtype), tf.shape(inputs)) * scale)

    return call


def gelu(values: Any) -> Any:
    """x · Φ(x) (Hendrycks & Gimpel 2016), exact, in float32."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def compute(raw: Any) -> Any:
        x = tf.cast(raw, tf.float32)
        share = 0.5 + 0.5 * tf.math.erf(x * math.sqrt(0.5))

        def gradient(above: Any) -> Any:
            slope = share + x * tf.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
            return tf.cast(tf.cast(above, tf.float32) * slope, raw.dtype)

        return tf.cast(x * share, raw.dtype), gradient

    return compute(values)


def _normalization(layer: Any) -> Any:
    """Layer normalization (Ba et al. 2016) over the last axis, in float32."""

    def call(inputs: Any) -> Any:
        import tensorflow as tf

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def compute(raw: Any, gamma: Any, beta: Any) -> Any:
            x = tf.cast(raw, tf.float32)
            centred = x - tf.reduce_mean(x, -1, keepdims=True)
            inverse = tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + layer.epsilon)
            normal = centred * inverse

            def gradient(above: Any) -> Any:
                above = tf.cast(above, tf.float32)
                rest = list(range(above.shape.rank - 1))
                scaled = above * gamma
                mean = tf.reduce_mean(scaled, -1, keepdims=True)
                slope = tf.reduce_mean(scaled * normal, -1, keepdims=True)
                down = inverse * (scaled - mean - normal * slope)
                return tf.cast(down, raw.dtype), tf.reduce_sum(above * normal, rest), tf.reduce_sum(above, rest)

            return tf.cast(normal * gamma + beta, raw.dtype), gradient

        return compute(inputs, layer.gamma.value, layer.beta.value)

    return call
