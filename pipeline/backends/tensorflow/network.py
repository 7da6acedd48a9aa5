"""Networks of Keras with the weights of a checkpoint, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model
from pipeline.backends import Training, classical, heads
from pipeline.backends.batches import Ragged, by_length
from pipeline.backends.data import Data
from pipeline.backends.tensorflow import architectures, framework, weights
from pipeline.backends.tensorflow import classical as networks
from pipeline.backends.tensorflow.heads import Head, of_saved, of_task
from pipeline.backends.tensorflow.ports import Port, ports
from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np

WORDS = "embeddings.word_embeddings.weight"
SPARE = ("position_ids", "pooler.")  # what a body may have and a classifier of its kind not use


class Network:
    """A network of Keras, with the ports that its weights go in and out by.

    Args:
        config: the content of ``config.json``, labels included.
        ids: which rows of the word embedding it has, in order; all if None.
        mixed: whether to multiply in bfloat16.
    """

    def __init__(
        self, config: Mapping[str, Any], head: Head, ids: np.ndarray | None = None, mixed: bool = False
    ) -> None:
        keras = framework.keras()
        self.config, self.head, self.ids, self.prefix = config, head, ids, head.prefix
        policy = keras.DTypePolicy("mixed_bfloat16" if mixed else "float32")
        size = config["vocab_size"] if ids is None else len(ids)
        build = networks.encoder if classical.described(config) else architectures.encoder
        encoder = build(config, size, policy)
        logits, layers = head.build(encoder.backbone, architectures.complete(config), policy)
        self.model = keras.Model(encoder.backbone.input, logits)
        self._first = {self.prefix + name + ".weight": row for name, row in encoder.first.items()}
        named = {**{self.prefix + name: layer for name, layer in encoder.layers.items()}, **layers}
        self.ports: list[Port] = [port for name, layer in named.items() for port in ports(name, layer)]
        self._fixed = {self.prefix + name: tensor for name, tensor in encoder.fixed.items()}
        self._around: dict[str, np.ndarray] = {}  # tensors of which the network has only a part

    def __call__(self, ids: Any, mask: Any, training: bool = False) -> Any:
        """Logits (float32, batch × labels) for ``input_ids`` and ``attention_mask`` (int32, batch × length)."""
        import tensorflow as tf

        inputs = {"token_ids": ids, "padding_mask": mask}
        if "segment_ids" in self.model.input:
            inputs["segment_ids"] = tf.zeros_like(ids)
        return tf.cast(self.model(inputs, training=training), tf.float32)

    def load(self, tensors: Mapping[str, np.ndarray], new: Callable[[str, tuple[int, ...]], np.ndarray]) -> None:
        """Take the weights of a checkpoint; what it lacks, or has in another shape, is made by ``new``.

        Raises:
            UserError: the checkpoint's body is not that of this architecture.
        """
        self._check(tensors)
        for port in self.ports:
            found = self._fitting(port, tensors.get(port.name))
            port.load(new(port.name, port.shape) if found is None else found)

    def tensors(self) -> dict[str, np.ndarray]:
        """All weights, as a checkpoint has them, rows included that the network has no part in."""
        found = dict(self._fixed)
        for port in self.ports:
            value = port.value()
            if port.name in self._around:
                whole = self._around[port.name].copy()
                whole[self._part(port.name)] = value
                value = whole
            found[port.name] = value
        return found

    def saved_config(self) -> dict[str, Any]:
        """What ``config.json`` says of this network."""
        config = {name: value for name, value in self.config.items() if name != "_name_or_path"}
        return {**config, "architectures": [self.head.architecture], "dtype": "float32"}

    @contextmanager
    def in_full_precision(self) -> Iterator[None]:
        """What is traced inside computes in float32 throughout, with the same variables."""
        layers = self.model._flatten_layers()
        kept = [layer.dtype_policy for layer in layers]
        for layer in layers:
            layer.dtype_policy = "float32"
        try:
            yield
        finally:
            for layer, policy in zip(layers, kept, strict=True):
                layer.dtype_policy = policy

    def _fitting(self, port: Port, tensor: np.ndarray | None) -> np.ndarray | None:
        """What of a checkpoint's tensor goes into ``port``; nothing, if it is of a head of another size."""
        if tensor is None:
            return None
        part = self._part(port.name)
        found = tensor if part is None else tensor[part]
        if found.shape != port.shape:
            if not port.name.startswith(self.prefix):
                return None
            raise UserError(
                f"base.model: {port.name} is of shape {found.shape}, but by config.json of {port.shape}; get it again"
            )
        if part is not None:
            self._around[port.name] = tensor
        return found

    def _part(self, name: str) -> np.ndarray | slice | None:
        """Which rows of a tensor the network has; all if None."""
        if name == self.prefix + WORDS:
            return self.ids
        first = self._first.get(name, 0)
        return slice(first, None) if first else None

    def _check(self, tensors: Mapping[str, np.ndarray]) -> None:
        body = {name for name in tensors if name.startswith(self.prefix)}
        known = {name for name in (*self._fixed, *(port.name for port in self.ports)) if name.startswith(self.prefix)}
        odd = [name for name in sorted(body - known) if not any(part in name for part in SPARE)]
        lost = [name for name in sorted(known - body) if not any(part in name for part in SPARE)]
        for names, what in ((odd, "has tensors that TensorFlow's network lacks"), (lost, "lacks tensors")):
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                raise UserError(
                    f"base.model: {what}: {', '.join(names[:3])}{more}; use backend=pytorch, or get it again"
                )


def load(base: Model, head: str, data: Data, training: Training, mixed: bool) -> Network:
    """The network in ``base`` with this head for the labels of ``data``, and the part of its vocabulary that ``data``
    uses; a head that it lacks is made anew.

    Raises:
        UserError: there is no such network here, or the checkpoint is not one of it.
    """
    config = {**base.read("config.json"), **heads.settings(base, data.labels, training)}
    data.vocabulary.check(config["vocab_size"])
    made = Network(config, of_task(head, config["model_type"]), data.vocabulary.ids, mixed)
    if classical.described(config):
        tensors = classical.weights(config, training.seed, data.seen)
    else:
        tensors = weights.read(base.path, made.prefix)
    if not heads.fits(base, data.labels):
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(made.prefix)}
    scale = config.get("initializer_range", heads.SCALE)
    made.load(tensors, lambda name, shape: heads.fresh(name, shape, scale, training.seed))
    return made


def load_saved(model: Model) -> Network:
    """The network in ``model`` as it was saved, head and all, in fp32."""
    config = model.read("config.json")
    made = Network(config, of_saved(config))

    def missing(name: str, shape: tuple[int, ...]) -> np.ndarray:
        raise UserError(f"{model.path}: model.safetensors lacks {name} of shape {shape}; it was not saved whole")

    made.load(weights.read(model.path, made.prefix), missing)
    return made


def logits(
    run: Callable[[Any, Any], Any],
    split: Ragged,
    pad: int,
    batch_size: int,
    labels: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
    renumber: Callable[[np.ndarray], np.ndarray] = lambda ids: ids,
) -> np.ndarray:
    """What ``run`` answers to a split (float32, examples × labels), in the split's own order.

    Args:
        renumber: applied to the token ids, for a network with a vocabulary of its own.
    """
    import numpy as np

    answers = np.zeros((len(split), labels), np.float32)
    for batch in by_length(split.lengths, batch_size):
        ids, mask = split.padded(batch, pad)
        answers[batch] = run(renumber(ids).astype(np.int32), mask.astype(np.int32)).numpy()
        advance(len(batch))
    return answers


def compiled(network: Network) -> Any:
    """``network`` as a graph, traced now, once for any batch size and length: the function of ``input_ids`` and
    ``attention_mask`` (int32, batch × length) that gives logits (float32, batch × labels)."""
    import tensorflow as tf

    numbers = tf.TensorSpec([None, None], tf.int32)
    run = tf.function(lambda ids, mask: network(ids, mask), input_signature=[numbers, numbers], autograph=False)
    run.get_concrete_function()
    return run
