"""A small decoder made anew, for text to go on with where no pretrained one can be had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ANEW = "anew"  # what base.model calls it
VOCABULARY = 4_000  # tokens, at most: what its tokenizer learns from the training texts
# Llama (Touvron et al. 2023), 4 layers of 256: 3 million numbers besides the embeddings.
DECODER: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "attention_dropout": 0.0,
    "tie_word_embeddings": True,
    "vocab_size": 0,  # until there is a tokenizer
}


def described(config: Mapping[str, Any]) -> bool:
    """Whether ``config.json`` describes a network that has neither weights nor a tokenizer yet."""
    return config.get("vocab_size") == 0
