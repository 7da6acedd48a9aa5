"""The part of a network that a base model lacks: what it answers with, and the weights it starts from.

Drawn with numpy, tensor by tensor, so that a training starts from the same weights in every framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from pipeline.artifacts import ADAPTER, Model
from pipeline.backends import Training
from pipeline.errors import UserError
from pipeline.progress import say

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Head:
    """``problem_type`` is what ``config.json`` calls it, if anything; ``tokens``: it answers for each token; ``labelled``: its
    outputs have names of their own, and mean nothing without them; ``predicts``: it answers with tokens of its vocabulary; ``writes``: so
    that texts come of it."""

    problem_type: str | None
    tokens: bool = False
    labelled: bool = False
    predicts: bool = False
    writes: bool = False


HEADS = {
    "classification": Head("single_label_classification", labelled=True),
    "multilabel": Head("multi_label_classification", labelled=True),
    "regression": Head("regression"),
    "tagging": Head(None, tokens=True, labelled=True),
    "questions": Head(None, tokens=True),
    "choice": Head(None),
    "seq2seq": Head(None, predicts=True, writes=True),
    "causal": Head(None, predicts=True, writes=True),
    "masked": Head(None, predicts=True),
}
SCALE = 0.02  # of fresh weights where config.json says no initializer_range
DROPOUTS = (
    "dropout",
    "dropout_prob",
    "dropout_rate",
    "pdrop",
)  # what the names of dropout rates in config.json end with


def settings(base: Model, head: str, labels: Sequence[str], training: Training) -> dict[str, Any]:
    """What ``config.json`` has to say otherwise than that of ``base``: labels, and dropout where it is set.

    Raises:
        UserError: dropout is set, and the model has none.
    """
    found: dict[str, Any] = {}
    if not HEADS[head].predicts:
        found["id2label"] = dict(enumerate(labels))
        found["label2id"] = {label: number for number, label in enumerate(labels)}
    if HEADS[head].problem_type:
        found["problem_type"] = HEADS[head].problem_type
    if training.dropout is not None:
        rates = [name for name in base.read("config.json") if name.endswith(DROPOUTS)]
        if not rates:
            raise UserError("training.dropout: config.json of the base model names no dropout; leave it out")
        found |= dict.fromkeys(rates, training.dropout)
    return found


def fits(base: Model, head: str, labels: Sequence[str]) -> bool:
    """Whether a head that ``base`` has may be gone on with: only one for the same labels in the same order, for
    its numbers mean nothing without their names."""
    if head == "regression":
        return False  # the head that it has answers in a unit; what is learned has mean 0 and deviation 1
    if not HEADS[head].labelled:
        return True
    config = base.read("config.json")
    had = [config["id2label"][str(i)] for i in range(len(config["id2label"]))] if "id2label" in config else []
    if had and had != list(labels):
        say(f"its head is for {', '.join(had[:6])}: a new one is made")
        return False
    return True


def fresh(name: str, shape: Sequence[int], scale: float, seed: int) -> np.ndarray:
    """First weights (float32) of the tensor that a checkpoint calls ``name``: biases 0, those of norms 1, others normal
    around 0 with standard deviation ``scale``."""
    import numpy as np

    if name.endswith("bias"):
        return np.zeros(shape, np.float32)
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return np.random.default_rng([seed, crc32(name.encode())]).normal(0, scale, shape).astype(np.float32)


def ends(name: str, shape: Sequence[int]) -> bool:
    """Whether a tensor is the bias of the last layer of a network with one output."""
    return tuple(shape) == (1,) and name.endswith("bias")


def rescale(folder: Path, mean: float, deviation: float) -> None:
    """Let the saved network with one output answer ``deviation`` times as much plus ``mean``: in the unit of the numbers
    that it learned, though it learned them with mean 0 and deviation 1.  The same of its adapter, if it has one."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    for file in (folder / "model.safetensors", folder / ADAPTER / "adapter_model.safetensors"):
        if file.exists():
            tensors = load_file(file)
            (last,) = (name for name, tensor in tensors.items() if ends(name, tensor.shape))
            weight = last.removesuffix("bias") + "weight"
            tensors[weight] = (tensors[weight].astype(np.float64) * deviation).astype(np.float32)
            tensors[last] = (tensors[last].astype(np.float64) * deviation + mean).astype(np.float32)
            save_file(tensors, file, metadata={"format": "pt"})


def keep_pooler(folder: Path, base: Path, prefix: str) -> None:
    """Put back what a network without a pooler left out of ``base``, so that another can be fine-tuned from it."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    file = folder / "model.safetensors"
    tensors = load_file(file)
    for other in sorted(base.glob("*.safetensors")):
        with safe_open(other, "numpy") as opened:
            for name in (name for name in opened.keys() if "pooler" in name):  # noqa: SIM118 (not a dict)
                tensors.setdefault(f"{prefix}.{name.removeprefix(f'{prefix}.')}", opened.get_tensor(name))
    save_file(tensors, file, metadata={"format": "pt"})
