"""The state of a training in one file, written so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]


def write(file: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    """Tensors and plain facts, in safetensors form."""
    from safetensors.torch import save_file

    scratch = file.with_suffix(".partial")
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(whole, scratch, metadata={"facts": json.dumps(facts)})
    with scratch.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(scratch, file)


def read(file: Path) -> tuple[Tensors, dict[str, Any]] | None:
    """What :func:`write` wrote, or nothing if it is not there or not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
            return tensors, json.loads(opened.metadata()["facts"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def gather(network: Any, optimizer: Any) -> Tensors:
    """Everything that the rest of a training depends on, random state included."""
    import torch

    moments = {
        f"optimizer.{number}.{name}": value
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    random = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["random.cuda"] = torch.cuda.get_rng_state()
    return {**weights, **moments, **random}


def spread(tensors: Tensors, network: Any, optimizer: Any) -> None:
    """Put back what :func:`gather` took."""
    import torch

    network.load_state_dict(_under(tensors, "network."))
    state: dict[int, dict[str, Any]] = {}
    for name, value in _under(tensors, "optimizer.").items():
        number, _, moment = name.partition(".")
        state.setdefault(int(number), {})[moment] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
