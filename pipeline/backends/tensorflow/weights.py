"""Reading and writing checkpoints of transformers without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.backends.tensorflow import framework
from pipeline.errors import UserError

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


def single(
    tensors: Mapping[str, np.ndarray], twins: Mapping[str, Sequence[str]], known: Container[str]
) -> dict[str, np.ndarray]:
    """Tensors of which a checkpoint may have copies (``twins``, by name) once, but for those that are ``known`` as others.

    Raises:
        UserError: a copy is none.
    """
    import numpy as np

    found = dict(tensors)
    for name, others in twins.items():
        for other in (other for other in others if other in found and other not in known):
            copy = found.pop(other)
            if not np.array_equal(found.setdefault(name, copy), copy):
                raise UserError(
                    f"base.model: {name} and {other} differ, but are one by config.json; use backend=pytorch, or get it again"
                )
    return found


def cut(tensors: Mapping[str, np.ndarray], parts: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """With tensors in ``parts``, by name, that stand side by side in a checkpoint."""
    import numpy as np

    found = dict(tensors)
    for whole in parts.keys() & found.keys():
        pieces = np.array_split(found.pop(whole), len(parts[whole]), axis=-1)
        found |= dict(zip(parts[whole], pieces, strict=True))
    return found


def joined(tensors: Mapping[str, np.ndarray], parts: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """What :func:`cut` was given."""
    import numpy as np

    found = dict(tensors)
    for whole, names in parts.items():
        found[whole] = np.concatenate([found.pop(name) for name in names], axis=-1)
    return found


def _modern(name: str) -> str:
    for old, new in RENAMED.items():
        name = name.replace(old, new)
    return name
