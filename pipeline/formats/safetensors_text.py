"""The Hugging Face folder of a model that writes text, run by PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.features import Inputs
from pipeline.formats import search

if TYPE_CHECKING:
    import numpy as np


class SafetensorsText:
    """``config.json``, ``generation_config.json``, ``model.safetensors`` and tokenizers, for ``from_pretrained``."""

    name: ClassVar[str] = "safetensors"
    looser: ClassVar[float] = 1.0
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    @staticmethod
    def write(model: Path, folder: Path) -> dict[str, Any]:
        return {}  # the model is one already

    @staticmethod
    def load(folder: Path) -> NetworkWriter:
        return NetworkWriter(folder)


class NetworkWriter:
    """The folder, loaded as anybody would load it, on the CPU: what exports are held against."""

    def __init__(self, folder: Path) -> None:
        from pipeline.backends.pytorch import network

        self._network = network.load_saved(folder).eval()
        settings = self._network.generation_config
        starts = (settings.decoder_start_token_id, settings.bos_token_id)
        both = self._network.config.is_encoder_decoder
        self.start: int | None = next((token for token in starts if token is not None), None) if both else None

    def logits(self, inputs: Inputs, decoder_input_ids: np.ndarray | None = None) -> np.ndarray:
        """See :class:`pipeline.formats.checks.Writer`."""
        import torch

        arrays = dict(inputs)
        if decoder_input_ids is not None:
            arrays["decoder_input_ids"] = decoder_input_ids
        with torch.inference_mode():
            found = self._network(
                **{name: torch.from_numpy(values) for name, values in arrays.items()}, use_cache=False
            )
        logits: np.ndarray = found.logits.numpy()
        return logits

    def generate(self, inputs: Inputs, settings: Mapping[str, Any], seed: int = 0) -> list[list[int]]:
        """See :class:`pipeline.formats.checks.Writer`."""
        import torch

        from pipeline.backends.pytorch.generate import check_room

        both = self.start is not None
        inputs = inputs if both else search.behind_padding(inputs)
        settings = {**settings, "max_length": None} if "max_new_tokens" in settings else settings
        if new := settings.get("max_new_tokens") or self._network.generation_config.max_new_tokens:
            check_room(self._network, inputs["input_ids"].shape[1], new)
        tensors = {name: torch.from_numpy(values) for name, values in inputs.items()}
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found = self._network.generate(**tensors, **settings)
        ends = self._network.generation_config.eos_token_id
        prompt = 1 if both else inputs["input_ids"].shape[1]
        ends = settings.get("eos_token_id", ends)
        return [search.ended(row, ends if isinstance(ends, list) else [ends]) for row in found[:, prompt:].tolist()]
