"""Networks of KerasHub that read a text and write another, set up to compute what transformers computes.

KerasHub's have as many layers to write with as to read with; where a checkpoint has fewer, what the last of those gives
is taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.backends.tensorflow import framework
from pipeline.backends.tensorflow.body import Body, activation, drop, named, refuse, set_up
from pipeline.backends.tensorflow.defaults import Config
from pipeline.errors import UserError

BART = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "self_attn_layer_norm", "fc1",
    "fc2", "final_layer_norm",
)  # fmt: skip
BART_CROSS = (
    "encoder_attn.q_proj", "encoder_attn.k_proj", "encoder_attn.v_proj", "encoder_attn.out_proj",
    "encoder_attn_layer_norm",
)  # fmt: skip


def bart(config: Config, vocabulary: int, dtype: Any) -> Body:
    """BART (Lewis et al. 2020), whose positions begin in the third row of their tables."""
    refuse(config, scale_embedding=(False,), encoder_layerdrop=(0.0,), decoder_layerdrop=(0.0,))
    refuse(config, **{f"decoder_{what}": (config[f"encoder_{what}"],) for what in ("attention_heads", "ffn_dim")})
    backbone = framework.keras_hub().models.BartBackbone(
        vocabulary_size=vocabulary, num_layers=config["encoder_layers"], num_heads=config["encoder_attention_heads"],
        hidden_dim=config["d_model"], intermediate_dim=config["encoder_ffn_dim"], dropout=float(config["dropout"]),
        max_sequence_length=config["max_position_embeddings"], dtype=dtype,
    )  # fmt: skip
    layers, writing = {"shared": backbone.token_embedding}, _written(backbone, config["decoder_layers"])
    for side, blocks in {"encoder": backbone.encoder_transformer_layers, "decoder": writing}.items():
        layers[f"{side}.embed_positions"] = getattr(backbone, f"{side}_position_embedding")
        layers[f"{side}.layernorm_embedding"] = getattr(backbone, f"{side}_embeddings_layer_norm")
        for number, block in enumerate(blocks):
            _set_up_bart(block, config)
            names = BART + BART_CROSS if side == "decoder" else BART
            layers |= named(f"{side}.layers.{number}", names, block)
    first = {"encoder.embed_positions": 2, "decoder.embed_positions": 2}
    return Body(backbone, layers, embedding="shared", last=writing[-1].output, first=first)


def _set_up_bart(block: Any, config: Config) -> None:
    same = {
        "hidden_act": "activation_function", "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    }  # fmt: skip
    set_up(block, {**{ours: config[theirs] for ours, theirs in same.items()}, "layer_norm_eps": 1e-5})
    drop(block, block._feedforward_intermediate_dense, float(config["activation_dropout"]))


def t5(config: Config, vocabulary: int, dtype: Any) -> Body:
    """T5 (Raffel et al. 2020), with or without gates (Shazeer 2020)."""
    refuse(config, relative_attention_num_buckets=(32,))
    # Keras warns of it for what an argument of it is called.
    warnings.filterwarnings("ignore", r"Layer '\w+' \(of type T5MultiHeadAttention\) was passed an input with a mask")
    *gated, function = config["feed_forward_proj"].split("-", 1)
    backbone = framework.keras_hub().models.T5Backbone(
        vocabulary_size=vocabulary, num_layers=config["num_layers"], num_heads=config["num_heads"],
        hidden_dim=config["d_model"], intermediate_dim=config["d_ff"], key_value_dim=config["d_kv"],
        dropout=float(config["dropout_rate"]), use_gated_activation=bool(gated), dtype=dtype,
        activation=activation("gelu_new" if gated and function == "gelu" else function),
        layer_norm_epsilon=float(config["layer_norm_epsilon"]),
    )  # fmt: skip
    writing = _written(backbone, config["num_decoder_layers"] or config["num_layers"])
    layers = {"shared": backbone.token_embedding}
    for side, blocks in {"encoder": backbone.encoder_transformer_layers, "decoder": writing}.items():
        layers[f"{side}.final_layer_norm"] = getattr(backbone, f"{side}_layer_norm")
        bias = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias"
        layers[bias] = blocks[0].self_attention
        for number, block in enumerate(blocks):
            block.self_attention.relative_attention_max_distance = config["relative_attention_max_distance"]
            layers |= _named_t5(f"{side}.block.{number}.layer", block)
    for name, layer in layers.items():
        if name.endswith("layer_norm"):
            layer.dtype_policy = "float32"  # as PyTorch's autocast leaves it
    last = backbone.decoder_dropout(backbone.decoder_layer_norm(writing[-1].output[0]))
    return Body(backbone, layers, embedding="shared", last=last)


def _named_t5(place: str, block: Any) -> dict[str, Any]:
    found = {f"{place}.0.layer_norm": block.self_attention_layer_norm}
    attentions, last = {f"{place}.0.SelfAttention": block.self_attention}, 1
    if block.is_decoder:
        found[f"{place}.1.layer_norm"] = block.cross_attention_layer_norm
        attentions[f"{place}.1.EncDecAttention"], last = block.cross_attention, 2
    for name, attention in attentions.items():
        for letter, what in {"q": "query", "k": "key", "v": "value", "o": "output"}.items():
            found[f"{name}.{letter}"] = getattr(attention, f"{what}_projector")
    found[f"{place}.{last}.layer_norm"] = block.layer_norm
    dense = {"wi": block.input_projector, "wo": block.output_projector}
    if block.use_gated_activation:
        dense = {"wi_0": block.input_projector, "wi_1": block.gate_projector, "wo": block.output_projector}
    return found | {f"{place}.{last}.DenseReluDense.{name}": layer for name, layer in dense.items()}


def _written(backbone: Any, count: int) -> Sequence[Any]:
    """The first ``count`` blocks that write."""
    found: Sequence[Any] = backbone.decoder_transformer_layers
    if not 0 < count <= len(found):
        raise UserError(
            f"base.model: {count} layers write and {len(found)} read; more of the first cannot be trained with TensorFlow; "
            "use backend=pytorch"
        )
    return found[:count]


KINDS: dict[str, Callable[[Config, int, Any], Body]] = {"bart": bart, "mt5": t5, "t5": t5}
