"""What transformers puts on a network that answers with words, of Keras layers: how well each word fits."""

from __future__ import annotations

from typing import Any

from pipeline.backends.tensorflow import decoders, encoders, seq2seq
from pipeline.backends.tensorflow.body import Body, refuse
from pipeline.backends.tensorflow.defaults import Config
from pipeline.backends.tensorflow.top import Built, Head, Top

# By model type: what a checkpoint calls the dense layer, the norm, the word embedding once more, and the bias.
BERT = (
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.decoder",
    "cls.predictions",
)
ROBERTA = ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head")
MASKED = {
    "albert": ("predictions.dense", "predictions.LayerNorm", "predictions.decoder", "predictions"),
    "bert": BERT,
    "camembert": ROBERTA,
    "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector"),
    "electra": ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head", "generator_lm_head"),
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
}  # fmt: skip
WIDTH = {"albert": "embedding_size", "distilbert": "dim", "electra": "embedding_size"}  # else hidden_size
CAUSAL = {
    "gemma": ("GemmaForCausalLM", "model.", "embed_tokens"),
    "gpt2": ("GPT2LMHeadModel", "transformer.", "wte"),
    "llama": ("LlamaForCausalLM", "model.", "embed_tokens"),
    "mistral": ("MistralForCausalLM", "model.", "embed_tokens"),
    "qwen2": ("Qwen2ForCausalLM", "model.", "embed_tokens"),
    "qwen3": ("Qwen3ForCausalLM", "model.", "embed_tokens"),
}
SEQ2SEQ = {
    "bart": ("BartForConditionalGeneration", "model."),
    "mt5": ("MT5ForConditionalGeneration", ""),
    "t5": ("T5ForConditionalGeneration", ""),
}
LAST = "lm_head.weight"  # how well each word fits, where it is not the word embedding
KINDS: dict[str, tuple[str, ...]] = {"causal": tuple(CAUSAL), "masked": tuple(MASKED), "seq2seq": tuple(SEQ2SEQ)}


def of_masked(kind: str, name: str, prefix: str) -> Head:
    """For words that are masked.

    Args:
        name: what names of classes begin with.
        prefix: what names of a body's tensors begin with.
    """
    dense, norm, decoder, bias = MASKED[kind]

    def build(body: Body, config: Config, policy: Any) -> Built:
        refuse(config, tie_word_embeddings=(True,))
        function, epsilon = config["hidden_act"], config["layer_norm_eps"]
        if kind == "distilbert":
            function, epsilon = config["activation"], 1e-12
        elif kind not in ("albert", "bert"):
            function = "gelu"  # whatever the layers have
        top = Top(body.tokens, policy).dense(dense, config[WIDTH.get(kind, "hidden_size")], function)
        return top.norm(norm, float(epsilon)).words(decoder, body, config).shift(bias).built()

    twins = {f"{prefix}embeddings.word_embeddings.weight": (f"{decoder}.weight",)}
    if bias != decoder:
        twins[f"{bias}.bias"] = (f"{decoder}.bias",)
    return Head(f"{name}ForMaskedLM", prefix, encoders.encoder, build, words=True, twins=twins)


def of_causal(kind: str) -> Head:
    """For the next word."""
    name, prefix, words = CAUSAL[kind]
    return Head(name, prefix, decoders.KINDS[kind], _next, words=True, twins={f"{prefix}{words}.weight": (LAST,)})


def of_seq2seq(kind: str) -> Head:
    """For the next word of another text."""
    name, prefix = SEQ2SEQ[kind]
    others = (f"{prefix}encoder.embed_tokens.weight", f"{prefix}decoder.embed_tokens.weight", LAST)
    build = _next_of_bart if kind == "bart" else _next_of_t5
    return Head(name, prefix, seq2seq.KINDS[kind], build, words=True, twins={f"{prefix}shared.weight": others})


def _next(body: Body, config: Config, policy: Any) -> Built:
    return Top(body.tokens, policy).words("lm_head", body, config).built()


def _next_of_bart(body: Body, config: Config, policy: Any) -> Built:
    refuse(config, tie_word_embeddings=(True,))
    top = Top(body.tokens, policy).words("lm_head", body, config)
    return top.shift("final_logits_bias", constant=True).built()


def _next_of_t5(body: Body, config: Config, policy: Any) -> Built:
    """Scaled, in a T5 whose words are one, or that says so; never in an mT5."""
    top = Top(body.tokens, policy)
    if config["model_type"] == "t5" and config.get("scale_decoder_outputs", config["tie_word_embeddings"]):
        top.scale(config["d_model"] ** -0.5)
    return top.words("lm_head", body, config).built()
