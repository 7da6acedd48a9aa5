"""Networks of Keras with the weights of a checkpoint, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model
from pipeline.backends import Training, classical, heads, predicted, scratch
from pipeline.backends.data import Data
from pipeline.backends.tensorflow import framework, weights
from pipeline.backends.tensorflow.defaults import complete
from pipeline.backends.tensorflow.heads import of_saved, of_task
from pipeline.backends.tensorflow.ports import Port, ports
from pipeline.backends.tensorflow.top import Head
from pipeline.errors import UserError
from pipeline.features import Features, Inputs

if TYPE_CHECKING:
    import numpy as np

SPARE = (  # what a body may have and a network of its kind not use
    "position_ids", "pooler.", ".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq",
    "EncDecAttention.relative_attention_bias",
)  # fmt: skip
UNSAID = {"segment_ids": ("input_ids", 0), "decoder_padding_mask": ("decoder_input_ids", 1)}  # like what, and what
# By what KerasHub calls the inputs of a network, what transformers does.
INPUTS = {
    "token_ids": "input_ids", "padding_mask": "attention_mask", "segment_ids": "token_type_ids",
    "encoder_token_ids": "input_ids", "encoder_padding_mask": "attention_mask",
    "decoder_token_ids": "decoder_input_ids", "decoder_padding_mask": "decoder_attention_mask",
}  # fmt: skip


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
        said = complete(config)
        self._body = body = head.body(said, size, policy)
        logits, layers = head.build(body, said, policy)
        self.model = keras.Model(body.backbone.input, logits)
        self._first = {f"{self.prefix}{name}.weight": row for name, row in body.first.items()}
        used = {id(layer) for layer in self.model._flatten_layers()}  # a pooler is not, by every head
        found = [
            port for name, layer in body.layers.items() if id(layer) in used
            for port in ports(self.prefix + name, layer, body.upright)
        ]  # fmt: skip
        found += [port for name, layer in layers.items() for port in ports(name, layer)]
        self.ports: list[Port] = [port for port in found if port.variable.trainable]
        self._constants = [port for port in found if not port.variable.trainable]
        self._fixed = {self.prefix + name: tensor for name, tensor in body.fixed.items()}
        self._parts = {
            f"{self.prefix}{whole}.{end}": [f"{self.prefix}{part}.{end}" for part in parts]
            for whole, parts in body.parts.items() for end in ("weight", "bias")
        }  # fmt: skip
        self._around: dict[str, np.ndarray] = {}  # tensors of which the network has only a part

    def __call__(self, inputs: Mapping[str, Any], training: bool = False) -> Any:
        """Logits (float32, batch × outputs, or batch × length × outputs) for ``input_ids``, ``attention_mask`` and, for two
        texts, ``token_type_ids`` (int32, batch × length); where another text is written, that is ``decoder_input_ids`` and
        ``decoder_attention_mask``, and has the length."""
        import tensorflow as tf

        given = {}
        for name in self.model.input:
            if name in UNSAID and INPUTS[name] not in inputs:
                ids, value = UNSAID[name]
                given[name] = tf.fill(tf.shape(inputs[ids]), value)
            else:
                given[name] = tf.convert_to_tensor(inputs[INPUTS[name]])
        return tf.cast(self.model(given, training=training), tf.float32)

    def load(self, tensors: Mapping[str, np.ndarray], new: Callable[[str, tuple[int, ...]], np.ndarray]) -> None:
        """Take the weights of a checkpoint; what it lacks, or has in another shape, is made by ``new``.

        Raises:
            UserError: the checkpoint's body is not that of this architecture.
        """
        known = {port.name for port in self.ports}
        tensors = weights.cut(weights.single(tensors, self.head.twins, known), self._parts)
        self._check(tensors)
        for port in (*self.ports, *self._constants):
            found = self._fitting(port, tensors.get(port.name))
            port.load(new(port.name, port.shape) if found is None else found)

    def tensors(self) -> dict[str, np.ndarray]:
        """All weights, as a checkpoint has them, rows included that the network has no part in."""
        found = dict(self._fixed)
        for port in (*self.ports, *self._constants):
            value = port.value()
            if port.name in self._around:
                whole = self._around[port.name].copy()
                whole[self._part(port.name)] = value
                value = whole
            found[port.name] = value
        return weights.joined(found, self._parts)

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
        if name == f"{self.prefix}{self._body.embedding}.weight":
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
    if scratch.described(config):
        raise UserError("base.model=anew: TensorFlow makes no network anew; name a model, or use backend=pytorch")
    ids = None
    if data.vocabulary is not None:
        data.vocabulary.check(config["vocab_size"])
        ids = data.vocabulary.ids
    made = Network(config, of_task(head, config["model_type"]), ids, mixed)
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


def measured(
    network: Network,
    run: Callable[[Inputs], np.ndarray],
    head: str,
    features: Features,
    batch_size: int,
    **more: Callable[..., Any],
) -> np.ndarray:
    """See :func:`pipeline.backends.predicted.measured`; ``run`` is what :func:`compiled` gives."""
    from pipeline.backends.tensorflow import losses

    def measure(inputs: Inputs, targets: np.ndarray) -> np.ndarray:
        found: np.ndarray = losses.measured(run(inputs), targets.astype("int32")).numpy()
        return found

    asked = predicted.ASKED[head]
    return predicted.measured(measure, asked, features, batch_size, network.config["vocab_size"], **more)


def served(network: Network, names: Iterable[str], dtype: str) -> Any:
    """``network`` as a graph that takes those of these inputs that it knows (``dtype``), by their names, and gives
    ``logits``."""
    import tensorflow as tf

    known = [name for name in names if name != "token_type_ids" or "segment_ids" in network.model.input]

    def run(*values: Any) -> dict[str, Any]:
        inputs = {name: tf.cast(value, tf.int32) for name, value in zip(known, values, strict=True)}
        return {"logits": network(inputs)}

    return tf.function(run, input_signature=list(signature(known, dtype).values()), autograph=False)
