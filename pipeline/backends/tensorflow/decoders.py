"""Language models of KerasHub, set up to compute what transformers computes.

KerasHub's differ in what rotates queries and keys, in the epsilon of some norms, and in what is dropped out.  Llama is
built from KerasHub's Mistral, which, unlike KerasHub's Llama, lets heads be of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.backends.tensorflow import framework
from pipeline.backends.tensorflow.body import Body, activation, drop, named, refuse, set_up
from pipeline.backends.tensorflow.defaults import Config
from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np

GPT2 = (
    "attn.c_attn.query", "attn.c_attn.key", "attn.c_attn.value", "attn.c_proj", "ln_1", "mlp.c_fc", "mlp.c_proj", "ln_2",
)  # fmt: skip
LLAMA = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "input_layernorm", "mlp.gate_proj",
    "mlp.up_proj", "mlp.down_proj", "post_attention_layernorm",
)  # fmt: skip
ROTATIONS = ("default", "linear", "llama3")  # rope_type


def gpt2(config: Config, vocabulary: int, dtype: Any) -> Body:
    """GPT-2 (Radford et al. 2019)."""
    refuse(config, scale_attn_weights=(True,), scale_attn_by_inverse_layer_idx=(False,), add_cross_attention=(False,))
    backbone = framework.keras_hub().models.GPT2Backbone(
        vocabulary_size=vocabulary, num_layers=config["n_layer"], num_heads=config["n_head"],
        hidden_dim=config["n_embd"], intermediate_dim=config["n_inner"] or 4 * config["n_embd"],
        dropout=float(config["embd_pdrop"]), max_sequence_length=config["n_positions"], dtype=dtype,
    )  # fmt: skip
    same = {
        "hidden_act": "activation_function", "hidden_dropout_prob": "resid_pdrop", "layer_norm_eps": "layer_norm_epsilon",
        "attention_probs_dropout_prob": "attn_pdrop",
    }  # fmt: skip
    config = {ours: config[theirs] for ours, theirs in same.items()}
    layers = {"wte": backbone.token_embedding, "wpe": backbone.position_embedding, "ln_f": backbone.layer_norm}
    parts = {}
    for number, block in enumerate(backbone.transformer_layers):
        set_up(block, config)
        layers |= named(f"h.{number}", GPT2, block)
        parts[f"h.{number}.attn.c_attn"] = tuple(f"h.{number}.{name}" for name in GPT2[:3])
    backbone.layer_norm.epsilon = float(config["layer_norm_eps"])
    return Body(backbone, layers, embedding="wte", parts=parts, upright=True)


def llama(config: Config, vocabulary: int, dtype: Any) -> Body:
    """Llama (Touvron et al. 2023)."""
    refuse(config, attention_bias=(False,), mlp_bias=(False,))
    return mistral({**config, "sliding_window": None}, vocabulary, dtype)


def mistral(config: Config, vocabulary: int, dtype: Any) -> Body:
    """Mistral (Jiang et al. 2023), with its sliding window."""
    window, size = config["sliding_window"], config["head_dim"]
    sizes = {**_sizes(config, vocabulary), "sliding_window": window, "head_dim": size, "dtype": dtype}
    backbone = framework.keras_hub().models.MistralBackbone(**sizes)
    words = backbone.token_embedding
    words.tie_weights = True  # heads have a matrix of their own where it is not the same
    del words.reverse_embeddings
    return _llama_like(backbone, config)


def qwen2(config: Config, vocabulary: int, dtype: Any) -> Body:
    """Qwen2 (Yang et al. 2024)."""
    refuse(config, use_sliding_window=(False,))
    return _llama_like(framework.keras_hub().models.QwenBackbone(**_sizes(config, vocabulary), dtype=dtype), config)


def qwen3(config: Config, vocabulary: int, dtype: Any) -> Body:
    """Qwen3 (Yang et al. 2025), which normalizes queries and keys."""
    refuse(config, use_sliding_window=(False,), attention_bias=(False,))
    backbone = framework.keras_hub().models.Qwen3Backbone(
        **_sizes(config, vocabulary), head_dim=config["head_dim"], sliding_window_size=None, dtype=dtype
    )
    body = _llama_like(backbone, config)
    for number, block in enumerate(backbone.transformer_layers):
        attention, place = block._self_attention_layer, f"layers.{number}.self_attn"
        found = {"q_norm": attention._query_dense_layer_norm, "k_norm": attention._key_dense_layer_norm}
        for name, norm in found.items():
            norm.epsilon = config["rms_norm_eps"]
            body.layers[f"{place}.{name}"] = norm
    return body


def gemma(config: Config, vocabulary: int, dtype: Any) -> Body:
    """Gemma (Mesnard et al. 2024), the first one."""
    tanh = ("gelu_pytorch_tanh", "gelu_new", "gelu")  # transformers takes the last one for the first
    refuse(config, attention_bias=(False,), use_bidirectional_attention=(None, False), hidden_act=tanh)
    sizes = {**_sizes(config, vocabulary), "intermediate_dim": 2 * config["intermediate_size"]}
    # It multiplies embeddings by a constant, which would be rounded were it made in less than float32.
    backbone = framework.keras_hub().models.GemmaBackbone(**sizes, head_dim=config["head_dim"], dtype="float32")
    for layer in backbone._flatten_layers(include_self=False):
        layer.dtype_policy = dtype
    layers = {"embed_tokens": backbone.token_embedding, "norm": backbone.layer_norm}
    for number, block in enumerate(backbone.transformer_layers):
        attention = block.attention
        attention.softmax.dtype_policy = "float32"
        attention.rope_layer._get_inverse_freq = _rotation(config, config["head_dim"])
        drop(block, attention.softmax, float(config["attention_dropout"]))
        parts = (
            attention.query_dense, attention.key_dense, attention.value_dense, attention.output_dense,
            block.pre_attention_norm, block.gating_ffw, block.gating_ffw_2, block.ffw_linear, block.pre_ffw_norm,
        )  # fmt: skip
        block.pre_attention_norm.epsilon = block.pre_ffw_norm.epsilon = config["rms_norm_eps"]
        layers |= {f"layers.{number}.{name}": part for name, part in zip(LLAMA, parts, strict=True)}
    return Body(backbone, layers, embedding="embed_tokens")


KINDS: dict[str, Callable[[Config, int, Any], Body]] = {
    "gemma": gemma, "gpt2": gpt2, "llama": llama, "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3,
}  # fmt: skip


def frequencies(config: Config, size: int) -> np.ndarray:
    """By how much each pair of ``size`` values is rotated from token to token (float32, radians): RoPE (Su et al. 2021),
    as it is, stretched (Chen et al. 2023), or with only its long waves stretched, as Llama 3.1 has it (Grattafiori et al.
    2024).

    Raises:
        UserError: it is done in another way.
    """
    import numpy as np

    rope = {"rope_theta": config["rope_theta"], **(config["rope_scaling"] or {}), **(config["rope_parameters"] or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ROTATIONS:
        raise UserError(
            f"base.model: rope_type={kind} cannot be trained with TensorFlow; {', '.join(ROTATIONS)} can; use backend=pytorch"
        )
    refuse({"partial_rotary_factor": 1.0, **rope}, partial_rotary_factor=(1.0,))
    waves = np.power(float(rope["rope_theta"]), np.arange(0, size, 2) / size).astype(np.float32)
    plain: np.ndarray = 1 / waves
    if kind == "default":
        return plain
    stretched: np.ndarray = plain / np.float32(rope["factor"])
    if kind == "linear":
        return stretched
    learned = rope.get("original_max_position_embeddings", config["max_position_embeddings"])
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]  # turns within what was learned
    share = np.clip((learned * plain / (2 * math.pi) - low) / (high - low), 0, 1)
    mixed: np.ndarray = ((1 - share) * stretched + share * plain).astype(np.float32)
    return mixed


def _rotation(config: Config, size: int) -> Callable[[Any], Any]:
    found = frequencies(config, size)
    return lambda _: framework.keras().ops.convert_to_tensor(found)


def _sizes(config: Config, vocabulary: int) -> dict[str, Any]:
    return {
        "vocabulary_size": vocabulary,
        "num_layers": config["num_hidden_layers"],
        "num_query_heads": config["num_attention_heads"],
        "num_key_value_heads": config["num_key_value_heads"] or config["num_attention_heads"],
        "hidden_dim": config["hidden_size"],
        "intermediate_dim": config["intermediate_size"],
        "layer_norm_epsilon": config["rms_norm_eps"],
    }


def _llama_like(backbone: Any, config: Config) -> Body:
    layers = {"embed_tokens": backbone.token_embedding, "norm": backbone.layer_norm}
    for number, block in enumerate(backbone.transformer_layers):
        attention, block.activation = block._self_attention_layer, activation(config["hidden_act"])
        size = attention._query_dense.kernel.shape[-1]
        attention.rotary_embedding_layer._get_inverse_freq = _rotation(config, size)
        drop(block, attention._softmax, float(config["attention_dropout"]))
        parts = (
            attention._query_dense, attention._key_dense, attention._value_dense, attention._output_dense,
            block._self_attention_layernorm, block._feedforward_gate_dense, block._feedforward_intermediate_dense,
            block._feedforward_output_dense, block._feedforward_layernorm,
        )  # fmt: skip
        layers |= {f"layers.{number}.{name}": part for name, part in zip(LLAMA, parts, strict=True)}
    return Body(backbone, layers, embedding="embed_tokens")
