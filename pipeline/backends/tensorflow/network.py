"""Networks of Keras with the weights of a checkpoint, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model
from pipeline.backends import Training, classical, heads
from pipeline.backends.data import Data
from pipeline.backends.tensorflow import architectures, framework, weights
from pipeline.backends.tensorflow import classical as networks
from pipeline.backends.tensorflow.heads import Head, of_saved, of_task
from pipeline.backends.tensorflow.ports import Port, ports
from pipeline.errors import UserError
from pipeline.features import Inputs

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
        used = {id(layer) for layer in self.model._flatten_layers()}  # a pooler is not, by every head
        self.ports: list[Port] = [
            port for name, layer in named.items() if id(layer) in used for port in ports(name, layer)
        ]
        self._fixed = {self.prefix + name: tensor for name, tensor in encoder.fixed.items()}
        self._around: dict[str, np.ndarray] = {}  # tensors of which the network has only a part

    def __call__(self, inputs: Mapping[str, Any], training: bool = False) -> Any:
        """Logits (float32, batch × outputs, or batch × length × outputs) for ``input_ids``, ``attention_mask`` and, for two
        texts, ``token_type_ids`` (int32, batch × length)."""
        import tensorflow as tf

        given = {"token_ids": inputs["input_ids"], "padding_mask": inputs["attention_mask"]}
        if "segment_ids" in self.model.input:
            types = inputs.get("token_type_ids")
            given["segment_ids"] = tf.zeros_like(given["token_ids"]) if types is None else types
        given = {name: tf.convert_to_tensor(values) for name, values in given.items()}
        return tf.cast(self.model(given, training=training), tf.float32)

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
    config = base.read("config.json")
    if classical.described(config):
        classical.check(head)
    config = {**config, **heads.settings(base, head, data.labels, training)}
    data.vocabulary.check(config["vocab_size"])
    made = Network(config, of_task(head, config["model_type"]), data.vocabulary.ids, mixed)
    if classical.described(config):
        tensors = classical.weights(config, training.seed, data.seen)
    else:
        tensors = weights.read(base.path, made.prefix)
    if not heads.fits(base, head, data.labels):
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


def whole_numbers(inputs: Inputs) -> dict[str, np.ndarray]:
    """Inputs as a network here takes them."""
    return {name: values.astype("int32") for name, values in inputs.items()}


def signature(names: Iterable[str], dtype: str = "int32") -> dict[str, Any]:
    """What inputs of these names are like (batch × length, both of any size)."""
    import tensorflow as tf

    return {name: tf.TensorSpec([None, None], dtype, name) for name in names}


def compiled(network: Network, names: Iterable[str]) -> Callable[[Inputs], np.ndarray]:
    """``network`` as a graph for inputs of these names, traced now, once for any batch size and length: what gives the
    logits for them."""
    import tensorflow as tf

    graph = tf.function(lambda inputs: network(inputs), input_signature=[signature(names)], autograph=False)
    graph.get_concrete_function()

    def run(inputs: Inputs) -> np.ndarray:
        found: np.ndarray = graph(whole_numbers(inputs)).numpy()
        return found

    return run


def served(network: Network, names: Iterable[str], dtype: str) -> Any:
    """``network`` as a graph that takes those of these inputs that it knows (``dtype``), by their names, and gives
    ``logits``."""
    import tensorflow as tf

    known = [name for name in names if name != "token_type_ids" or "segment_ids" in network.model.input]

    def run(*values: Any) -> dict[str, Any]:
        inputs = {name: tf.cast(value, tf.int32) for name, value in zip(known, values, strict=True)}
        return {"logits": network(inputs)}

    return tf.function(run, input_signature=list(signature(known, dtype).values()), autograph=False)
