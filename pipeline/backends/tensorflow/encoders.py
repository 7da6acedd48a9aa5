"""Encoders of KerasHub, set up to compute what transformers computes, layer by layer.

KerasHub's networks differ from transformers' in details: the kind of GELU, the epsilon of norms, what is dropped
out, where positions begin.  Each function here makes one and says which of its layers holds the weights that a
checkpoint has under which name.  RoBERTa and its like are built from KerasHub's BERT, which, unlike KerasHub's
RoBERTa, has the segment embedding that their checkpoints have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.backends.tensorflow import framework
from pipeline.backends.tensorflow.body import Body, named, refuse, set_up
from pipeline.backends.tensorflow.defaults import Config

# What a checkpoint calls the layers of a block, in the order of ``body.named``.
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


def bert(config: Config, vocabulary: int, dtype: Any) -> Body:
    """BERT (Devlin et al. 2019)."""
    return _bert_like(config, vocabulary, dtype, first_position=0)


def roberta(config: Config, vocabulary: int, dtype: Any) -> Body:
    """RoBERTa (Liu et al. 2019) and those of its form: positions begin behind the padding's number."""
    return _bert_like(config, vocabulary, dtype, first_position=config["pad_token_id"] + 1)


def _bert_like(config: Config, vocabulary: int, dtype: Any, first_position: int) -> Body:
    backbone = framework.keras_hub().models.BertBackbone(
        vocabulary_size=vocabulary, num_segments=config["type_vocab_size"], dtype=dtype,
        **_sizes(config, first_position),
    )  # fmt: skip
    layers = {**_embeddings(backbone), "pooler.dense": backbone.pooled_dense}
    for number, block in enumerate(backbone.transformer_layers):
        set_up(block, config)
        layers |= named(f"encoder.layer.{number}", BERT, block)
    return Body(backbone, layers, first={"embeddings.position_embeddings": first_position})


def electra(config: Config, vocabulary: int, dtype: Any) -> Body:
    """ELECTRA's discriminator (Clark et al. 2020)."""
    backbone = framework.keras_hub().models.ElectraBackbone(
        vocab_size=vocabulary, num_segments=config["type_vocab_size"], embedding_dim=config["embedding_size"],
        dtype=dtype, **_sizes(config),
    )  # fmt: skip
    layers = _embeddings(backbone)
    if config["embedding_size"] != config["hidden_size"]:
        layers["embeddings_project"] = backbone.embeddings_projection
    for number, block in enumerate(backbone.transformer_layers):
        set_up(block, config)
        layers |= named(f"encoder.layer.{number}", BERT, block)
    return Body(backbone, layers)


def albert(config: Config, vocabulary: int, dtype: Any) -> Body:
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
            set_up(block, config, outer=0.0)
            layers |= named(f"encoder.albert_layer_groups.{group}.albert_layers.{number}", ALBERT, block)
    return Body(backbone, layers)


def distilbert(config: Config, vocabulary: int, dtype: Any) -> Body:
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
        set_up(block, config, attended=0.0)
        layers |= named(f"transformer.layer.{number}", DISTILBERT, block)
    return Body(backbone, layers)


KINDS: dict[str, Callable[[Config, int, Any], Body]] = {
    "albert": albert, "bert": bert, "camembert": roberta, "distilbert": distilbert, "electra": electra,
    "roberta": roberta, "xlm-roberta": roberta,
}  # fmt: skip


def encoder(config: Config, vocabulary: int, dtype: Any) -> Body:
    """The encoder that ``config``, complete, describes, with a word embedding of so many rows.

    Raises:
        UserError: KerasHub has none that computes the same.
    """
    refuse(config, is_decoder=(False,), position_embedding_type=("absolute",))
    made = KINDS[config["model_type"]](config, vocabulary, dtype)
    made.backbone.embeddings_layer_norm.epsilon = float(config["layer_norm_eps"])
    return made


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
