"""Between the variables of Keras layers and the tensors of a checkpoint of transformers, in both directions.

Keras keeps a matrix as (inputs, outputs), with the heads of attention as an axis of their own, and a convolution
as (width, inputs, outputs); a checkpoint keeps the axes the other way round.  The rest is laid out alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.backends.tensorflow import framework

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Port:
    """One variable, and the tensor of this ``name`` that it stands for."""

    name: str
    variable: Any
    shape: tuple[int, ...]  # of the tensor
    turned: bool = False  # whether its axes are in reverse order

    @property
    def is_matrix(self) -> bool:
        """Whether it is no bias and no norm."""
        return len(self.shape) > 1

    def load(self, tensor: np.ndarray) -> None:
        """Put the tensor's values into the variable."""
        self.variable.assign((tensor.T if self.turned else tensor).reshape(self.variable.shape))

    def value(self) -> np.ndarray:
        """The variable as a checkpoint has it (float32)."""
        found: np.ndarray = self.variable.numpy()
        return found.reshape(self.shape[::-1]).T if self.turned else found.reshape(self.shape)


def ports(name: str, layer: Any) -> Iterator[Port]:
    """The ports of a Keras layer that a checkpoint calls ``name``."""
    if isinstance(layer, framework.keras().layers.LSTM):
        yield from _lstm(name, layer)
        return
    for weight, found, turned in (
        ("weight", _first(layer, "embeddings", "position_embeddings", "gamma"), False),
        ("weight", _first(layer, "kernel"), True),
        ("bias", _first(layer, "bias", "beta"), False),
    ):
        if found is not None:
            shape = tuple(found.shape)
            if turned and len(shape) == 3 and hasattr(layer, "equation"):  # EinsumDense: heads are an axis
                outputs = math.prod(layer.bias.shape)
                shape = (math.prod(shape) // outputs, outputs)
            elif weight == "bias":
                shape = (math.prod(shape),)
            yield Port(f"{name}.{weight}", found, shape[::-1] if turned else shape, turned)


def _lstm(name: str, layer: Any) -> Iterator[Port]:
    """The gates of both stand in the same order: input, forget, cell, output."""
    cell = layer.cell
    for weight, found in (("weight_ih_l0", cell.kernel), ("weight_hh_l0", cell.recurrent_kernel)):
        yield Port(f"{name}.{weight}", found, tuple(found.shape)[::-1], turned=True)
    yield Port(f"{name}.bias_ih_l0", cell.bias, tuple(cell.bias.shape))


def _first(layer: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(layer, name, None)) is not None), None)
