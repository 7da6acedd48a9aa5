"""One more layer for a network whose first token does not stand for its text.

Networks for one answer a text read it off the first token, [CLS].  Checkpoints that were made to embed sentences by the
mean over all tokens leave that token weak.  transformers has no such heads with a mean, so the mean is made a layer: its
attention begins as the same for all tokens, its values as what they are, and its feed-forward part as nothing, so that
every token, the first among them, holds the mean of all.  It is a layer like any other: it learns, is saved, loaded and
exported as one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from pipeline.errors import UserError

if TYPE_CHECKING:
    import numpy as np

KINDS = ("bert", "camembert", "electra", "roberta", "xlm-roberta")  # whose layers have these names
LAYER = re.compile(r"(.*encoder\.layer\.)(\d+)\.(.*)")
SAID = "1_Pooling/config.json"  # where sentence-transformers says how a model embeds sentences
SHARE = 10.0  # how much more the mean counts than the token itself, which a residual connection adds
SCALE = 0.02  # of what has to differ before it can learn


def by_mean(folder: Path) -> bool:
    """Whether the model in ``folder`` says that it embeds sentences by the mean over their tokens, and can have the layer."""
    try:
        said = json.loads((folder / SAID).read_text(encoding="utf-8"))
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError):
        return False
    return kind in KINDS and bool(said.get("pooling_mode_mean_tokens"))


def add_mean(folder: Path, name: str) -> list[str]:
    """Put such a layer on top of the encoder in ``folder``, in ``config.json`` and ``model.safetensors``; the modules, as
    ``folder`` names them, that are no longer those of the model ``name``.

    Raises:
        UserError: the model ``name`` is of a type that this is not known for.
    """
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind, layers = config["model_type"], config.get("num_hidden_layers")
    files = sorted(folder.glob("*.safetensors"))
    if kind not in KINDS or len(files) != 1:
        raise UserError(
            f"base.pooling=mean: {name} is a {kind} model in {len(files)} files of weights; it is for {', '.join(KINDS)} in "
            "one; use base.pooling=first"
        )
    with safe_open(
        files[0], "numpy"
    ) as opened:  # asked first: numpy has bfloat16 where TensorFlow is loaded, and only there
        if any(opened.get_slice(part).get_dtype() == "BF16" for part in opened.keys()):  # noqa: SIM118
            raise UserError(f"base.pooling=mean: {name} is in bfloat16; save it in float32, or use base.pooling=first")
    tensors, added = load_file(files[0]), []
    for part, tensor in list(tensors.items()):
        found = LAYER.fullmatch(part)
        if found and int(found[2]) == layers - 1:
            added.append(f"{found[1]}{layers}")
            tensors[f"{added[-1]}.{found[3]}"] = _first(found[3], tensor)
    for part in tensors:
        if part.endswith("pooler.dense.weight"):
            added.append(part.removesuffix(".weight"))
            tensors[part] = _identity(tensors[part])
        elif part.endswith("pooler.dense.bias"):
            tensors[part] = tensors[part] * 0
    save_file(tensors, files[0], metadata={"format": "pt"})
    text = json.dumps({**config, "num_hidden_layers": layers + 1}, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    return sorted(set(added))


def _first(part: str, like: np.ndarray) -> np.ndarray:
    """What a tensor of the new layer begins as."""
    import numpy as np

    if part.endswith(("LayerNorm.weight", "LayerNorm.gamma")):  # the latter in older checkpoints
        return np.ones_like(like)
    if part.endswith(("bias", "LayerNorm.beta")) or part in ("attention.self.query.weight", "output.dense.weight"):
        return np.zeros_like(like)
    if part == "attention.self.value.weight":
        return _identity(like)
    if part == "attention.output.dense.weight":
        return _identity(like) * np.float32(SHARE)
    return np.random.default_rng(crc32(part.encode())).normal(0, SCALE, like.shape).astype(like.dtype)


def _identity(like: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.eye(*like.shape, dtype=like.dtype)
