"""Encoders of KerasHub, set up to compute what transformers computes, layer by layer.

KerasHub's networks differ from transformers' in details: the kind of GELU, the epsilon of norms, what is dropped
out, where positions begin.  Each function here makes one and says which of its layers holds the weights that a
checkpoint has under which name.  RoBERTa and its like are built from KerasHub's BERT, which, unlike KerasHub's
RoBERTa, has the segment embedding that their checkpoints have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.backends.tensorflow import framework
from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np

Config = Mapping[str, Any]  # config.json

# What a checkpoint calls the layers of a block, in the order of ``_parts``.
BERT = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm",
)  # fmt: skip
DISTILBERT = (
    "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin1",
    "ffn.lin2", "output_layer_norm",
)  # fmt: skip
ALBERT = (
    "attention.query", "attention.key", "attention.value", "attention.dense", "attention.LayerNorm", "ffn",
    "ffn_output", "full_layer_layer_norm",
)  # fmt: skip

# What older files leave out of config.json, with the values that transformers then takes.
DEFAULTS = {
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "classifier_dropout": None, "classifier_dropout_prob": 0.1,
    "embedding_size": 128, "position_embedding_type": "absolute", "is_decoder": False, "inner_group_num": 1,
    "num_hidden_groups": 1, "pad_token_id": 1, "activation": "gelu", "dropout": 0.1, "attention_dropout": 0.1, "seq_classif_dropout": 0.2,
    "qa_dropout": 0.1, "summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu",
    "summary_first_dropout": 0.0, "summary_last_dropout": 0.1,
}  # fmt: skip

OF_ALBERT = {"hidden_act": "gelu_new", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@dataclass
class Encoder:
    """A backbone, with names in checkpoints for its layers, the pooler's among them though not every head uses it;
    ``first`` gives the rows at which tables begin there, and ``fixed`` the tensors there that have no layer here, for
    they are always the same."""

    backbone: Any
    layers: dict[str, Any]
    first: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, np.ndarray] = field(default_factory=dict)


def bert(config: Config, vocabulary: int, dtype: Any) -> Encoder:
    """BERT (Devlin et al. 2019)."""
    return _bert_like(config, vocabulary, dtype, first_position=0)


def roberta(config: Config, vocabulary: int, dtype: Any) -> Encoder:
    """RoBERTa (Liu et al. 2019) and those of its form: positions begin behind the padding's number."""
    return _bert_like(config, vocabulary, dtype, first_position=config["pad_token_id"] + 1)


def _bert_like(config: Config, vocabulary: int, dtype: Any, first_position: int) -> Encoder:
    backbone = framework.keras_hub().models.BertBackbone(
        vocabulary_size=vocabulary, num_segments=config["type_vocab_size"], dtype=dtype,
        **_sizes(config, first_position),
    )  # fmt: skip
    layers = {**_embeddings(backbone), "pooler.dense": backbone.pooled_dense}
    for number, block in enumerate(backbone.transformer_layers):
        _set_up(block, config)
        layers |= _named(f"encoder.layer.{number}", BERT, block)
    return Encoder(backbone, layers, {"embeddings.position_embeddings": first_position})


def electra(config: Config, vocabulary: int, dtype: Any) -> Encoder:
    """ELECTRA's discriminator (Clark et al. 2020)."""
    backbone = framework.keras_hub().models.ElectraBackbone(
        vocab_size=vocabulary, num_segments=config["type_vocab_size"], embedding_dim=config["embedding_size"],
        dtype=dtype, **_sizes(config),
    )  # fmt: skip
    layers = _embeddings(backbone)
    if config["embedding_size"] != config["hidden_size"]:
        layers["embeddings_project"] = backbone.embeddings_projection
    for number, block in enumerate(backbone.transformer_layers):
        _set_up(block, config)
        layers |= _named(f"encoder.layer.{number}", BERT, block)
    return Encoder(backbone, layers)


def albert(config: Config, vocabulary: int, dtype: Any) -> Encoder:
    """ALBERT (Lan et al. 2020), whose blocks share their weights."""
    groups, inner = config["num_hidden_groups"], config["inner_group_num"]
    backbone = framework.keras_hub().models.AlbertBackbone(
        vocabulary_size=vocabulary, num_segments=config["type_vocab_size"], embedding_dim=config["embedding_size"],
        num_groups=groups, num_inner_repetitions=inner, dtype=dtype, **_sizes(config),
    )  # fmt: skip
    layers = _embeddings(backbone)
    layers |= {"encoder.embedding_hidden_mapping_in": backbone.embeddings_projection, "pooler": backbone.pooled_dense}
    for group, blocks in enumerate(backbone.transformer_layers):
        for number, block in enumerate(blocks):
            _set_up(block, config, outer=0.0)
            layers |= _named(f"encoder.albert_layer_groups.{group}.albert_layers.{number}", ALBERT, block)
    return Encoder(backbone, layers)


def distilbert(config: Config, vocabulary: int, dtype: Any) -> Encoder:
    """DistilBERT (Sanh et al. 2019)."""
    same = {
        "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads", "hidden_size": "dim",
        "intermediate_size": "hidden_dim", "hidden_act": "activation", "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    }  # fmt: skip
    config = {**config, **{ours: config[theirs] for ours, theirs in same.items()}, "layer_norm_eps": 1e-12}
    backbone = framework.keras_hub().models.DistilBertBackbone(
        vocabulary_size=vocabulary, dtype=dtype, **_sizes(config)
    )
    layers = {
        "embeddings.word_embeddings": backbone.embeddings.token_embedding,
        "embeddings.position_embeddings": backbone.embeddings.position_embedding,
        "embeddings.LayerNorm": backbone.embeddings_layer_norm,
    }
    for number, block in enumerate(backbone.transformer_layers):
        _set_up(block, config, attended=0.0)
        layers |= _named(f"transformer.layer.{number}", DISTILBERT, block)
    return Encoder(backbone, layers)


KINDS: dict[str, Callable[[Config, int, Any], Encoder]] = {
    "albert": albert, "bert": bert, "camembert": roberta, "distilbert": distilbert, "electra": electra,
    "roberta": roberta, "xlm-roberta": roberta,
}  # fmt: skip


def encoder(config: Config, vocabulary: int, dtype: Any) -> Encoder:
    """The encoder that ``config`` describes, with a word embedding of so many rows.

    Raises:
        UserError: KerasHub has none that computes the same.
    """
    config = complete(config)
    if config["position_embedding_type"] != "absolute" or config["is_decoder"]:
        what = "is_decoder" if config["is_decoder"] else "position_embedding_type"
        raise UserError(f"base.model: {what}={config[what]} cannot be trained with TensorFlow; use backend=pytorch")
    made = KINDS[config["model_type"]](config, vocabulary, dtype)
    made.backbone.embeddings_layer_norm.epsilon = float(config["layer_norm_eps"])
    return made


def complete(config: Config) -> Config:
    """``config`` with what it leaves out."""
    return {**DEFAULTS, **(OF_ALBERT if config["model_type"] == "albert" else {}), **config}


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


def _sizes(config: Config, first_position: int = 0) -> dict[str, Any]:
    return {
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "hidden_dim": config["hidden_size"],
        "intermediate_dim": config["intermediate_size"],
        "max_sequence_length": config["max_position_embeddings"] - first_position,
        "dropout": float(config["hidden_dropout_prob"]),
    }


def _embeddings(backbone: Any) -> dict[str, Any]:
    return {
        "embeddings.word_embeddings": backbone.token_embedding,
        "embeddings.position_embeddings": backbone.position_embedding,
        "embeddings.token_type_embeddings": backbone.segment_embedding,
        "embeddings.LayerNorm": backbone.embeddings_layer_norm,
    }


def _set_up(block: Any, config: Config, *, attended: float | None = None, outer: float | None = None) -> None:
    """Make a block of KerasHub compute what one of transformers does.

    Args:
        attended: dropout of what attention gives; as all hidden values, if None.
        outer: dropout of what the block gives; the same.
    """
    hidden, attention = float(config["hidden_dropout_prob"]), block._self_attention_layer
    block._self_attention_dropout.rate = hidden if attended is None else attended
    block._feedforward_dropout.rate = hidden if outer is None else outer
    attention._dropout = attention._dropout_layer.rate = float(config["attention_probs_dropout_prob"])
    block._feedforward_intermediate_dense.activation = activation(config["hidden_act"])
    for norm in (block._self_attention_layer_norm, block._feedforward_layer_norm):
        norm.epsilon = float(config["layer_norm_eps"])


def _named(place: str, names: tuple[str, ...], block: Any) -> dict[str, Any]:
    attention = block._self_attention_layer
    parts = (
        attention.query_dense, attention.key_dense, attention.value_dense, attention.output_dense,
        block._self_attention_layer_norm, block._feedforward_intermediate_dense, block._feedforward_output_dense,
        block._feedforward_layer_norm,
    )  # fmt: skip
    return {f"{place}.{name}": part for name, part in zip(names, parts, strict=True)}
