"""Writing with PyTorch, by ``generate`` of transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pipeline.backends import Generation, batches
from pipeline.errors import UserError
from pipeline.features import Features

if TYPE_CHECKING:
    import numpy as np

SEED = 17  # of texts that are drawn
DRAWN = 16  # texts that are drawn at once: with others beside it, each would be another
# What networks call the weights of places, and what is computed of them beforehand, as in GPT-J, CodeGen and CTRL.
PLACES = ("wpe", "position_embeddings", "embed_positions", "positions_embed")
TABLES = ("embed_positions", "pos_encoding")


def generate(
    network: Any,
    head: str,
    features: Features,
    settings: Generation,
    batch_size: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
) -> list[list[int] | None]:
    """The token ids that ``network`` writes for each row, special tokens included; nothing for one without a prompt."""
    import numpy as np
    import torch

    lengths = features.lengths if head == "seq2seq" else features.numbers("prompt")
    found: list[list[int] | None] = [None] * len(features)
    network.eval()
    torch.manual_seed(SEED)
    asked = np.flatnonzero(lengths > 0)
    check_room(network, int(lengths.max(initial=0)), settings.max_new_tokens)
    for batch in batches.by_length(lengths[asked], DRAWN if settings.do_sample else batch_size):
        rows = asked[batch]
        for row, ids in zip(rows.tolist(), _written(network, head, features, rows, settings), strict=True):
            found[row] = ids
        advance(len(rows))
    return found


def check_room(network: Any, longest: int, new: int) -> None:
    """Refuse to write so many tokens where a network has a number of places, and too few of these.

    Args:
        longest: tokens of the longest prompt, behind which they come unless the network reads and writes apart.

    Raises:
        UserError: they are too few.
    """
    both = network.config.is_encoder_decoder
    places = _places(network.decoder if both and hasattr(network, "decoder") else network.get_decoder())
    if places is None:
        return
    prompt = 0 if both else longest - 1  # the last token that is written is not read any more
    if prompt + new > places:
        behind = "" if both else f", and the longest prompt has {longest}: lower max_length, or"
        raise UserError(
            f"generation.max_new_tokens={new}: the model has places for {places} tokens{behind or ';'} set it to "
            f"{places - prompt} or less"
        )


def _places(writer: Any) -> int | None:
    """How many places it has; None if it computes them as it needs them."""
    import torch

    for name, module in writer.named_modules():
        if name.endswith(PLACES) and isinstance(module, torch.nn.Embedding):
            skipped = 0 if module.padding_idx is None else module.padding_idx + 1  # RoBERTa counts from there
            said = getattr(writer.config, "max_position_embeddings", None)  # LED has one number to read, one to write
            places: int = min(said or writer.config.max_decoder_position_embeddings, module.num_embeddings - skipped)
            return places
    return next((len(table) for name, table in writer.named_buffers() if name.endswith(TABLES)), None)


def _written(
    network: Any, head: str, features: Features, rows: np.ndarray, settings: Generation
) -> Iterator[list[int]]:
    import torch

    inputs = features.inputs(rows) if head == "seq2seq" else prompts(features, rows)
    where = next(network.parameters()).device
    with torch.inference_mode():
        made = network.generate(
            **{name: torch.from_numpy(values).to(where) for name, values in inputs.items()},
            **options(network, settings),
        )
    begin = 1 if head == "seq2seq" else inputs["input_ids"].shape[1]
    end = network.generation_config.eos_token_id
    ends = set(end if isinstance(end, list) else [end])
    return (list(takewhile(lambda token: token not in ends, ids[begin:])) for ids in made.tolist())


def prompts(features: Features, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What comes before the response, padded in front, where networks go on from the last token."""
    import numpy as np

    sizes = features.numbers("prompt")[rows]
    ids = np.full((len(rows), int(sizes.max())), features.pad, np.int64)
    mask = np.zeros_like(ids)
    for place, (row, size) in enumerate(zip(rows.tolist(), sizes.tolist(), strict=True)):
        ids[place, len(ids[place]) - size :] = features.ids.row(row)[:size]
        mask[place, len(ids[place]) - size :] = 1
    return {"input_ids": ids, "attention_mask": mask}


def options(network: Any, settings: Generation) -> dict[str, Any]:
    """The settings, and what fills rows up, of which models that were never made to write in batches say nothing."""
    found = settings.options()
    if network.generation_config.pad_token_id is None:
        end = network.generation_config.eos_token_id
        found["pad_token_id"] = end[0] if isinstance(end, list) else end or 0
    return found
