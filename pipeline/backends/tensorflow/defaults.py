"""What older files leave out of ``config.json``, with the values that transformers then takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]  # config.json

ENCODER = {
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "classifier_dropout": None, "classifier_dropout_prob": 0.1,
    "embedding_size": 128, "position_embedding_type": "absolute", "is_decoder": False, "inner_group_num": 1,
    "num_hidden_groups": 1, "pad_token_id": 1, "activation": "gelu", "dropout": 0.1, "attention_dropout": 0.1, "seq_classif_dropout": 0.2,
    "qa_dropout": 0.1, "summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu",
    "summary_first_dropout": 0.0, "summary_last_dropout": 0.1, "tie_word_embeddings": True,
}  # fmt: skip
GPT2 = {
    "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "n_inner": None, "embd_pdrop": 0.1,
    "attn_pdrop": 0.1, "resid_pdrop": 0.1, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False, "tie_word_embeddings": True,
}  # fmt: skip
LLAMA = {
    "hidden_act": "silu", "rms_norm_eps": 1e-6, "attention_dropout": 0.0, "num_key_value_heads": None, "head_dim": None,
    "attention_bias": False, "mlp_bias": False, "sliding_window": None, "use_sliding_window": False,
    "max_position_embeddings": 2048, "rope_theta": 10000.0, "rope_scaling": None, "rope_parameters": None,
    "tie_word_embeddings": False,
}  # fmt: skip
BART = {
    "activation_function": "gelu", "max_position_embeddings": 1024, "dropout": 0.1, "attention_dropout": 0.0,
    "activation_dropout": 0.0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "scale_embedding": False,
    "tie_word_embeddings": True,
}  # fmt: skip
T5 = {
    "feed_forward_proj": "relu", "layer_norm_epsilon": 1e-6, "dropout_rate": 0.1, "num_decoder_layers": None,
    "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "tie_word_embeddings": True,
}  # fmt: skip

DEFAULTS: dict[str, dict[str, Any]] = {
    "albert": {**ENCODER, "hidden_act": "gelu_new", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "bart": BART,
    "gemma": {
        **LLAMA, "hidden_act": "gelu_pytorch_tanh", "num_key_value_heads": 16, "head_dim": 256,
        "max_position_embeddings": 8192, "use_bidirectional_attention": None, "tie_word_embeddings": True,
    },
    "gpt2": GPT2,
    "llama": LLAMA,
    "mistral": {**LLAMA, "num_key_value_heads": 8, "sliding_window": 4096, "max_position_embeddings": 4096 * 32},
    "mt5": {**T5, "feed_forward_proj": "gated-gelu"},
    "qwen2": {**LLAMA, "num_key_value_heads": 32, "max_position_embeddings": 32768},
    "qwen3": {**LLAMA, "num_key_value_heads": 32, "head_dim": 128, "max_position_embeddings": 32768},
    "t5": T5,
}  # fmt: skip


def complete(config: Config) -> Config:
    """``config`` with what it leaves out."""
    return {**DEFAULTS.get(config["model_type"], ENCODER), **config}
