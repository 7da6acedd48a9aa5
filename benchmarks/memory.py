"""What a training keeps in memory, by the settings that save some of it.

    python benchmarks/memory.py [--data FOLDER] [--limit ROWS]

One step of the default base model on the 32 longest rows in fp32, with PyTorch.  Printed, in MB: what layers keep of the
way there for the way back, weights not counted; what the optimizer remembers; a checkpoint.  A line that needs a package
which is not installed says so.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import trainer

SETTINGS: tuple[dict[str, Any], ...] = (
    {}, {"gradient_checkpointing": True}, {"adapter": "lora"}, {"adapter": "lora", "adapter_modules": ("all-linear",)},
    {"adapter": "lora", "gradient_checkpointing": True}, {"adapter": "dora"}, {"optimizer": "adafactor"},
    {"optimizer": "adamw_8bit"}, {"optimizer": "sgd"},
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="recipes/data/reviews")
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        trainer.prepare(options, Path(place))
        for settings in SETTINGS:
            print(settings, measure(Path(place), settings), flush=True)


def measure(place: Path, settings: dict[str, Any]) -> Any:
    import numpy as np

    from pipeline.artifacts import Model, Tokens
    from pipeline.backends import Finetuning, Training
    from pipeline.backends.data import Data
    from pipeline.backends.pytorch.finetune import Pupil
    from pipeline.tasks.classification import Classification

    config = Finetuning(Classification(), Training(precision="fp32", **settings))
    data = Data(config, Tokens(place / "tokens"))
    try:
        pupil = Pupil(config, Model(place / "base"), data)
    except ModuleNotFoundError as error:
        return error
    batch = data.batch(np.argsort(-data.train.lengths)[: trainer.BATCH_SIZE])
    layers = kept(pupil.net, batch.inputs)
    pupil.step([batch], trainer.RATE)
    moments = sum(value.nbytes for name, value in pupil.state().items() if name.startswith("optimizer"))
    weights = sum(value.nbytes for value in pupil.weights().values())
    sizes = {"layers": layers, "optimizer": moments, "checkpoint": moments + weights}
    return {"trained": pupil.parameters()["trained"], **{name: round(size / 1e6, 1) for name, size in sizes.items()}}


def kept(net: Any, inputs: Any) -> int:
    """Bytes that are kept from the way there for the way back."""
    import torch

    from pipeline.backends.pytorch import network

    weights = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        answers = network.run(net, inputs)  # held, so that no place is used twice
    del answers
    return sum(sizes.values())


if __name__ == "__main__":
    main()
