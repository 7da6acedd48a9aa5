"""Graphs of models that write text: keys and values of the tokens before go in and come out, a flat tensor each.

Inputs and outputs have optimum's names, so that what runs its exports knows these.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.formats.onnx import quiet

if TYPE_CHECKING:
    import torch

LARGEST = 1_800_000_000  # bytes of weights in one file with the graph: protobuf ends at 2 GiB
BATCH, PAST, LENGTH, SOURCE = 2, 3, 4, 5  # of the inputs to trace with: no two alike
TOKENS = {0: "batch", 1: "length"}  # the dimensions that are free, by the names that they have in the graph
ALL_TOKENS = {0: "batch", 1: "total"}
SOURCES = {0: "batch", 1: "source"}


def export(net: Any, folder: Path) -> list[str]:
    """The graphs of a network of transformers in ``folder``; their files.

    Raises:
        UserError: PyTorch cannot export such a network.
    """
    net.set_attn_implementation("eager")  # the other has views of T5's that cannot be exported, and is no faster here
    if net.config.is_encoder_decoder:
        return [_encoder(net, folder / "encoder.onnx"), _decoder(net, folder / "decoder.onnx")]
    return [_causal(net, folder / "model.onnx")]


def _causal(net: Any, file: Path) -> str:
    """``input_ids`` (batch × length), ``attention_mask`` (batch × past + length) and ``past_key_values.N.key`` and
    ``.value`` (batch × heads × past × size) → ``logits`` (batch × length × vocabulary), ``present.N.key`` and
    ``.value``.  Positions are counted by the mask."""
    import torch

    counts = "position_ids" in inspect.signature(net.forward).parameters

    def run(ids: torch.Tensor, mask: torch.Tensor, *past: torch.Tensor) -> list[torch.Tensor]:
        more = {}
        if counts:
            more["position_ids"] = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)[:, -ids.shape[1] :]
        cache = _cache(past)
        found = net(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **more)
        return [found.logits, *_flat(net, cache)]

    ids = torch.zeros(BATCH, LENGTH, dtype=torch.int64)
    with torch.no_grad():
        past = _flat(net, net(input_ids=ids, use_cache=True).get("past_key_values"))
    inputs = {
        "input_ids": (ids, TOKENS),
        "attention_mask": (torch.ones(BATCH, PAST + LENGTH, dtype=torch.int64), ALL_TOKENS),
        **_keys("past_key_values.{}", [tensor[:, :, :PAST] for tensor in past], "past"),
    }
    _trace(net, run, inputs, ["logits", *_keys("present.{}", past, "total")], file)
    return file.name


def _encoder(net: Any, file: Path) -> str:
    """``input_ids`` and ``attention_mask`` (batch × source) → ``last_hidden_state``, ``present.N.encoder.key`` and
    ``.value``: what each layer of the decoder attends to, computed once."""
    import torch

    ids, mask = _source()
    with torch.no_grad():
        _, *cross = _encode(net, ids, mask)
    inputs = {"input_ids": (ids, SOURCES), "attention_mask": (mask, SOURCES)}
    outputs = ["last_hidden_state", *_keys("present.{}.encoder", cross, "source")]
    _trace(net, lambda *tensors: _encode(net, *tensors), inputs, outputs, file)
    return file.name


def _decoder(net: Any, file: Path) -> str:
    """``input_ids`` (batch × length), ``encoder_attention_mask`` (batch × source), ``past_key_values.N.decoder.key`` and
    ``.value`` (batch × heads × past × size), ``past_key_values.N.encoder.key`` and ``.value`` → ``logits`` (batch ×
    length × vocabulary), ``present.N.decoder.key`` and ``.value``."""
    import torch

    ids, mask = _source()
    with torch.no_grad():
        hidden, *cross = _encode(net, ids, mask)
        width = hidden.shape[-1]
        none = [tensor[:, :, :0] for tensor in cross]
        _, *past = _decode(net, width, ids[:, :PAST], mask, none, cross)

    def run(ids: torch.Tensor, mask: torch.Tensor, *tensors: torch.Tensor) -> list[torch.Tensor]:
        return _decode(net, width, ids, mask, tensors[: len(past)], tensors[len(past) :])

    inputs = {
        "input_ids": (ids[:, :LENGTH], TOKENS),
        "encoder_attention_mask": (mask, SOURCES),
        **_keys("past_key_values.{}.decoder", past, "past"),
        **_keys("past_key_values.{}.encoder", cross, "source"),
    }
    _trace(net, run, inputs, ["logits", *_keys("present.{}.decoder", past, "total")], file)
    return file.name


def _source() -> tuple[torch.Tensor, torch.Tensor]:
    """What to trace an encoder with, and its mask."""
    import torch

    return torch.zeros(BATCH, SOURCE, dtype=torch.int64), torch.ones(BATCH, SOURCE, dtype=torch.int64)


def _encode(net: Any, ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
    """The hidden states of the last layer; keys and values of them in each layer of the decoder."""
    hidden = net.get_encoder()(input_ids=ids, attention_mask=mask)[0]
    cache = _caches((), ())
    _answer(net, ids[:, :1] * 0, hidden, mask, cache)
    return [hidden, *_flat(net, cache.cross_attention_cache)]


def _decode(
    net: Any,
    width: int,
    ids: torch.Tensor,
    mask: torch.Tensor,
    past: Sequence[torch.Tensor],
    cross: Sequence[torch.Tensor],
) -> list[torch.Tensor]:
    """Logits; keys and values of these tokens and those before.  Of the hidden states (of this ``width``) nothing is
    looked at but their shape."""
    cache = _caches(past, cross)
    logits = _answer(net, ids, cross[0].new_zeros(*mask.shape, width), mask, cache)
    return [logits, *_flat(net, cache.self_attention_cache)]


def _answer(net: Any, ids: torch.Tensor, hidden: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
    from transformers.modeling_outputs import BaseModelOutput

    found = net(
        encoder_outputs=BaseModelOutput(hidden),
        attention_mask=mask,
        decoder_input_ids=ids,
        past_key_values=cache,
        use_cache=True,
    )
    logits: torch.Tensor = found.logits
    return logits


def _caches(past: Sequence[torch.Tensor], cross: Sequence[torch.Tensor]) -> Any:
    from transformers import EncoderDecoderCache

    return EncoderDecoderCache(_cache(past), _cache(cross))


def _cache(tensors: Sequence[torch.Tensor]) -> Any:
    """A cache of keys and values in turns.  It keeps all tokens: where a layer looks at the last ones only, the mask says
    so."""
    from transformers import DynamicCache

    return DynamicCache(list(zip(tensors[::2], tensors[1::2], strict=True)) or None)


def _flat(net: Any, cache: Any) -> list[torch.Tensor]:
    """Keys and values of all layers, in turns."""
    found = [getattr(layer, name, None) for layer in getattr(cache, "layers", ()) for name in ("keys", "values")]
    if not found or any(tensor is None or tensor.ndim != 4 for tensor in found):
        raise _refusal(net, "it keeps something else than keys and values of the tokens before")
    return found


def _keys(name: str, tensors: Sequence[torch.Tensor], tokens: str) -> dict[str, tuple[torch.Tensor, dict[int, str]]]:
    """Keys and values of all layers by name, with the dimensions that are free."""
    names = (f"{name.format(layer)}.{kind}" for layer in range(len(tensors) // 2) for kind in ("key", "value"))
    return {name: (tensor, {0: "batch", 2: tokens}) for name, tensor in zip(names, tensors, strict=True)}


def _trace(
    net: Any,
    run: Callable[..., list[torch.Tensor]],
    inputs: dict[str, tuple[torch.Tensor, dict[int, str]]],
    outputs: list[str],
    file: Path,
) -> None:
    """Write what ``run`` computes, without the notes that PyTorch leaves in graphs."""
    import torch
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
            return run(*tensors)

    names = {name for _, free in inputs.values() for name in free.values()}
    sizes = {name: torch.export.Dim(name) for name in sorted(names)}
    shapes = tuple({at: sizes[name] for at, name in free.items()} for _, free in inputs.values())
    try:
        with quiet():
            program = torch.onnx.export(
                Graph().eval(),
                tuple(tensor for tensor, _ in inputs.values()),
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes={"tensors": shapes},
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise _refusal(net, _reason(error)) from None
    ClearMetadataAndDocStringPass()(program.model)
    weights = sum(value.const_value.nbytes for value in program.model.graph.initializers.values())
    program.save(file, external_data=weights > LARGEST)


def _reason(error: BaseException) -> str:
    """The first line of what it comes from."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]


def _refusal(net: Any, why: str) -> UserError:
    return UserError(
        f"export.formats=onnx: cannot be made of a {net.config.model_type} model that writes text: {why:.120}; "
        "leave it out: export.formats=safetensors"
    )
