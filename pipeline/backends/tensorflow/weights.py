"""Reading and writing checkpoints of transformers without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.backends.tensorflow import framework

if TYPE_CHECKING:
    import numpy as np

RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}  # as files from TensorFlow 1 say


def read(folder: Path, prefix: str) -> dict[str, np.ndarray]:
    """Every tensor in ``folder`` (float32) by its name in a whole model; one of a bare body lacks its ``prefix``."""
    from safetensors import safe_open

    framework.tensorflow()
    found: dict[str, np.ndarray] = {}
    whole = folder / "model.safetensors"
    for file in [whole] if whole.exists() else sorted(folder.glob("model-*.safetensors")):
        with safe_open(file, framework="tf") as opened:  # numpy has no bfloat16
            for name in opened.keys():  # noqa: SIM118 (not a dict)
                found[_modern(name)] = opened.get_tensor(name).numpy().astype("float32")
    if any(name.startswith(prefix) for name in found):
        return found
    return {prefix + name: tensor for name, tensor in found.items()}


def write(folder: Path, tensors: Mapping[str, np.ndarray], config: Mapping[str, object]) -> None:
    """``model.safetensors`` and ``config.json``."""
    import numpy as np
    from safetensors.numpy import save_file

    whole = {name: np.ascontiguousarray(tensor) for name, tensor in sorted(tensors.items())}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def _modern(name: str) -> str:
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return name
