"""Between the variables of Keras layers and the tensors of a checkpoint of transformers, in both directions.

Keras keeps a matrix as (inputs, outputs), with the heads of attention as an axis of their own, and a convolution
as (width, inputs, outputs); most checkpoints keep the axes the other way round.  The rest is laid out alike.
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
    axes: tuple[int, ...] = ()  # of the variable, in the order of the tensor's; as they are, if empty

    @property
    def is_matrix(self) -> bool:
        """Whether it is no bias and no norm."""
        return len(self.shape) > 1

    def load(self, tensor: np.ndarray) -> None:
        """Put the tensor's values into the variable."""
        import numpy as np

        shape = tuple(self.variable.shape)
        if self.axes:
            tensor = tensor.reshape([shape[axis] for axis in self.axes]).transpose(np.argsort(self.axes))
        self.variable.assign(tensor.reshape(shape))

    def value(self) -> np.ndarray:
        """The variable as a checkpoint has it (float32)."""
        found: np.ndarray = self.variable.numpy()
        return (found.transpose(self.axes) if self.axes else found).reshape(self.shape)


def ports(name: str, layer: Any, upright: bool = False) -> Iterator[Port]:
    """The ports of a Keras layer that a checkpoint calls ``name``; ``upright``: its matrix stands there as it is here."""
    if isinstance(layer, framework.keras().layers.LSTM):
        yield from _lstm(name, layer)
        return
    if (constant := _first(layer, "constant")) is not None:
        yield Port(name, constant, (1, *constant.shape))
    if (kernel := _first(layer, "kernel")) is not None:
        yield _matrix(f"{name}.weight", layer, kernel, upright)
    tables = ("embeddings", "position_embeddings", "relative_attention_bias", "gamma", "scale", "weight")
    if (table := _first(layer, *tables)) is not None:
        yield Port(f"{name}.weight", table, tuple(table.shape))
    if (bias := _first(layer, "bias", "beta")) is not None:
        yield Port(f"{name}.bias", bias, (math.prod(bias.shape),))


def _matrix(name: str, layer: Any, kernel: Any, upright: bool) -> Port:
    shape = tuple(kernel.shape)
    if not hasattr(layer, "equation"):  # Dense and Conv1D
        axes = tuple(range(len(shape)))
        return Port(name, kernel, shape) if upright else Port(name, kernel, shape[::-1], axes[::-1])
    _, letters, given = layer.equation.replace("->", ",").split(",")  # EinsumDense, where heads are an axis
    outputs = tuple(axis for axis, letter in enumerate(letters) if letter in given)
    inputs = tuple(axis for axis, letter in enumerate(letters) if letter not in given)
    axes = inputs + outputs if upright else outputs + inputs
    sizes = [math.prod(shape[axis] for axis in some) for some in (inputs, outputs)]
    return Port(name, kernel, tuple(sizes if upright else sizes[::-1]), axes)


def _lstm(name: str, layer: Any) -> Iterator[Port]:
    """The gates of both stand in the same order: input, forget, cell, output."""
    cell = layer.cell
    for weight, found in (("weight_ih_l0", cell.kernel), ("weight_hh_l0", cell.recurrent_kernel)):
        yield Port(f"{name}.{weight}", found, tuple(found.shape)[::-1], (1, 0))
    yield Port(f"{name}.bias_ih_l0", cell.bias, tuple(cell.bias.shape))


def _first(layer: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(layer, name, None)) is not None), None)
