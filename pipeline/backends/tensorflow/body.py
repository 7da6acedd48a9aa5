"""What a network is before its head: a backbone of KerasHub, set up to compute what transformers computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.backends.tensorflow import framework
from pipeline.backends.tensorflow.defaults import Config
from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Body:
    """A backbone, with names in checkpoints for its layers, the pooler's among them though not every head uses it.

    ``embedding`` is the name of its word embedding; ``last`` what it gives for every token, if not the backbone's output.
    ``first`` gives the rows at which tables begin in a checkpoint, ``fixed`` the tensors there that have no layer here,
    for they are always the same, and ``parts`` by which names layers here have their shares of what is one there.
    ``upright``: matrices stand there as Keras has them, inputs first.
    """

    backbone: Any
    layers: dict[str, Any]
    embedding: str = "embeddings.word_embeddings"
    last: Any = None
    first: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, np.ndarray] = field(default_factory=dict)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    upright: bool = False

    @property
    def tokens(self) -> Any:
        """What it gives for every token (batch × length × size)."""
        if self.last is not None:
            return self.last
        found = self.backbone.output
        return found["sequence_output"] if isinstance(found, dict) else found


def set_up(block: Any, config: Config, *, attended: float | None = None, outer: float | None = None) -> None:
    """Make a block of KerasHub compute what one of transformers does, by what a BERT calls its settings.

    Args:
        attended: dropout of what attention gives; as all hidden values, if None.
        outer: dropout of what the block gives; the same.
    """
    hidden = float(config["hidden_dropout_prob"])
    block._self_attention_dropout.rate = hidden if attended is None else attended
    block._feedforward_dropout.rate = hidden if outer is None else outer
    block._feedforward_intermediate_dense.activation = activation(config["hidden_act"])
    attentions, norms = [block._self_attention_layer], [block._self_attention_layer_norm, block._feedforward_layer_norm]
    if getattr(block, "_cross_attention_layer", None):
        attentions.append(block._cross_attention_layer)
        norms.append(block._cross_attention_layer_norm)
        block._cross_attention_dropout.rate = hidden if attended is None else attended
    for attention in attentions:
        attention._dropout = attention._dropout_layer.rate = float(config["attention_probs_dropout_prob"])
    for norm in norms:
        norm.epsilon = float(config["layer_norm_eps"])


def named(place: str, names: tuple[str, ...], block: Any) -> dict[str, Any]:
    """The layers of a block, and what a checkpoint calls them: query, key, value and output of attention, its norm, both
    layers of what follows, its norm; then the same of attention to another text, if there is any."""
    parts = [
        *_attention(block._self_attention_layer), block._self_attention_layer_norm,
        block._feedforward_intermediate_dense, block._feedforward_output_dense, block._feedforward_layer_norm,
    ]  # fmt: skip
    if getattr(block, "_cross_attention_layer", None):
        parts += [*_attention(block._cross_attention_layer), block._cross_attention_layer_norm]
    return {f"{place}.{name}": part for name, part in zip(names, parts, strict=True)}


def _attention(layer: Any) -> tuple[Any, ...]:
    return layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense


def drop(block: Any, layer: Any, rate: float) -> None:
    """Drop out a share of what a ``layer`` in ``block`` gives, where KerasHub has no dropout."""
    if not rate:
        return
    dropout = framework.keras().layers.Dropout(rate, dtype=layer.dtype_policy)
    block._layers.append(dropout)  # so that it is found among the layers of a network
    call = layer.call
    layer.call = lambda *values, **settings: dropout(call(*values, **settings))


def refuse(config: Config, **known: tuple[Any, ...]) -> None:
    """Settings in ``config`` must be among those that are ``known`` here.

    Raises:
        UserError: one is not.
    """
    for name, values in known.items():
        if config[name] not in values:
            raise UserError(f"base.model: {name}={config[name]} cannot be trained with TensorFlow; use backend=pytorch")


def activation(name: str) -> Callable[[Any], Any]:
    """The function that ``hidden_act`` names, as transformers computes it."""
    keras = framework.keras()
    known: dict[str, Callable[[Any], Any]] = {
        "gelu": keras.activations.gelu, "gelu_new": _gelu_tanh, "gelu_pytorch_tanh": _gelu_tanh,
        "relu": keras.activations.relu, "silu": keras.activations.silu, "swish": keras.activations.silu,
        "tanh": keras.activations.tanh,
    }  # fmt: skip
    if name not in known:
        raise UserError(
            f"base.model: its activation {name} is not known to TensorFlow here; {', '.join(known)} are; use backend=pytorch"
        )
    return known[name]


def _gelu_tanh(values: Any) -> Any:
    return framework.keras().activations.gelu(values, approximate=True)
