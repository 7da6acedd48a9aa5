"""The state of a training in one file, written so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Tensors = dict[str, "np.ndarray"]


def write(file: Path, tensors: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Tensors and plain facts, in safetensors form."""
    import numpy as np
    from safetensors.numpy import save_file

    scratch = file.with_suffix(".partial")
    whole = {name: np.ascontiguousarray(tensor).reshape(tensor.shape) for name, tensor in tensors.items()}
    save_file(whole, scratch, metadata={"facts": json.dumps(facts)})
    with scratch.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(scratch, file)


def read(file: Path) -> tuple[Tensors, dict[str, Any]] | None:
    """What :func:`write` wrote, or nothing if it is not there or not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
            return tensors, json.loads(opened.metadata()["facts"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def under(prefix: str, tensors: Mapping[str, np.ndarray]) -> Tensors:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
