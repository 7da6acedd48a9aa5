"""Networks that write in a vocabulary of their own.

A decoder for an encoder: both begin with what the encoder knows (Rothe et al. 2020).  The decoder's layers begin as the encoder's; what looks at the text that is read is new.  The
tokens that it writes begin as the mean of what the encoder's tokenizer makes of them.

And a small decoder made anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model, Tokens
from pipeline.backends import Training
from pipeline.errors import UserError

if TYPE_CHECKING:
    import torch


def joined(base: Model, tokens: Tokens, training: Training, settings: dict[str, Any]) -> Any:
    """An ``EncoderDecoderModel`` of transformers, in fp32.

    Raises:
        UserError: transformers has no decoder of this kind.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer, EncoderDecoderModel

    from pipeline.backends.pytorch.network import refresh

    options = {"trust_remote_code": False, **settings}
    encoder = AutoModel.from_pretrained(base.path, dtype=torch.float32, **options)
    targets = AutoTokenizer.from_pretrained(tokens.path / "target", trust_remote_code=False)
    ids = {
        "bos_token_id": targets.bos_token_id,
        "eos_token_id": targets.eos_token_id,
        "pad_token_id": targets.pad_token_id,
    }
    config = AutoConfig.from_pretrained(
        base.path, is_decoder=True, add_cross_attention=True, vocab_size=len(targets), **ids, **options
    )
    decoder = _decoder(config)
    known = {name: tensor for name, tensor in encoder.state_dict().items() if "word_embeddings" not in name}
    report = decoder.base_model.load_state_dict(known, strict=False)
    prefix = f"{decoder.base_model_prefix}."
    new = {f"{prefix}{name}" for name in report.missing_keys}
    new |= {name for name in decoder.state_dict() if not name.startswith(prefix)}
    refresh(decoder, new, training.seed)
    with torch.no_grad():
        decoder.get_input_embeddings().weight.copy_(_embeddings(tokens.path, encoder, targets))
    network = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    network.new_tensors = frozenset(f"decoder.{name}" for name in new)
    for place in (network.config, network.generation_config):
        place.decoder_start_token_id = targets.bos_token_id
        place.eos_token_id, place.pad_token_id = targets.eos_token_id, targets.pad_token_id
    return network


def _decoder(config: Any) -> Any:
    """A network that writes, and looks at what was read, as ``config`` describes it."""
    from transformers import AutoModelForCausalLM

    try:
        decoder = AutoModelForCausalLM.from_config(config)
    except ValueError:
        decoder = None
    if decoder is None or not any("crossattention" in name for name in decoder.state_dict()):
        raise UserError(
            f"base.model: a {config.model_type} model cannot become a decoder; choose a BERT or RoBERTa, or a model that "
            "writes by itself, such as T5, BART or Marian"
        )
    return decoder


def anew(base: Model, tokens: Tokens, training: Training, settings: dict[str, Any]) -> Any:
    """A network of transformers as ``base`` describes it, for the tokenizer in ``tokens``, in fp32."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from pipeline.backends.pytorch.network import refresh

    texts = AutoTokenizer.from_pretrained(tokens.path / "tokenizer", trust_remote_code=False)
    ids = {"bos_token_id": texts.bos_token_id, "eos_token_id": texts.eos_token_id, "pad_token_id": texts.pad_token_id}
    known = {**base.read("config.json"), **settings, **ids, "vocab_size": len(texts)}
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**known))
    network.new_tensors = frozenset(network.state_dict())
    refresh(network, set(network.new_tensors), training.seed)
    return network


def _embeddings(folder: Path, encoder: Any, targets: Any) -> torch.Tensor:
    """A row for each token of ``targets``: the mean of the encoder's for what the token says, or of all if that is nothing."""
    import torch
    from tokenizers import Tokenizer

    texts = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    texts.no_padding()
    said = [targets.decode([number]) for number in range(len(targets))]
    found = texts.encode_batch(said, add_special_tokens=False)
    known = encoder.get_input_embeddings().weight
    usual = known.mean(0)
    rows = [known[each.ids].mean(0) if each.ids else usual for each in found]
    return torch.stack(rows)
