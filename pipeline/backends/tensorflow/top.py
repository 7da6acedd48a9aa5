"""What stands on a network's body: layers of Keras, one upon the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.backends.tensorflow import framework
from pipeline.backends.tensorflow.body import Body, activation
from pipeline.backends.tensorflow.defaults import Config

Built = tuple[Any, dict[str, Any]]  # logits, and the layers by their names in a checkpoint
Build = Callable[[Body, Config, Any], Built]


@dataclass(frozen=True)
class Head:
    """``architecture`` is the class of transformers; ``prefix`` what names of its body begin with; ``tokens``: it answers
    for each token; ``twins``: other names under which a checkpoint may have a tensor; ``words``: it answers for each
    word of the vocabulary, of which it needs all."""

    architecture: str
    prefix: str
    body: Callable[[Config, int, Any], Body]
    build: Build
    tokens: bool = False
    words: bool = False
    twins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Top:
    """Layers on what a body gives, one upon the other.

    Args:
        values: what the first takes.
        policy: of the numbers that layers compute with.
    """

    def __init__(self, values: Any, policy: Any) -> None:
        self._values, self._policy = values, policy
        self._layers: dict[str, Any] = {}

    def drop(self, rate: float) -> Top:
        """Dropout of a share."""
        self._values = framework.keras().layers.Dropout(float(rate), dtype=self._policy)(self._values)
        return self

    def dense(self, name: str, units: int, function: str | None = None, *, bias: bool = True) -> Top:
        """A dense layer, and what is done to each of its values."""
        done = activation(function) if function else None
        return self._add(name, framework.keras().layers.Dense(units, done, use_bias=bias, dtype=self._policy))

    def norm(self, name: str, epsilon: float) -> Top:
        """Layer normalization."""
        return self._add(name, framework.keras().layers.LayerNormalization(epsilon=epsilon, dtype=self._policy))

    def shift(self, name: str, *, constant: bool = False) -> Top:
        """A number added to each value; a ``constant`` one is not learned."""
        return self._add(name, _shift(constant, self._policy))

    def scale(self, factor: float) -> Top:
        """Each value multiplied."""
        self._values = self._values * factor
        return self

    def words(self, name: str, body: Body, config: Config) -> Top:
        """How well each word fits, by the word embedding or, if that is not the same, by a matrix of its own."""
        if not config["tie_word_embeddings"]:
            return self.dense(name, config["vocab_size"], bias=False)
        self._values = body.layers[body.embedding](self._values, reverse=True)
        return self

    def built(self) -> Built:
        """The logits, and the layers."""
        return self._values, self._layers

    def _add(self, name: str, layer: Any) -> Top:
        self._layers[name], self._values = layer, layer(self._values)
        return self


def _shift(constant: bool, policy: Any) -> Any:
    keras = framework.keras()

    class Shift(keras.layers.Layer):  # type: ignore[name-defined]
        def build(self, shape: Any) -> None:
            added = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=not constant, name="bias")
            if constant:
                self.constant = added
            else:
                self.bias = added

        def call(self, values: Any) -> Any:
            return values + (self.constant if constant else self.bias)

    return Shift(dtype=policy)
