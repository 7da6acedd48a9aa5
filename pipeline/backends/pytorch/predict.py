"""Running a fine-tuned model with PyTorch."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import Model, Predictions, Tokens
from pipeline.backends import Asking
from pipeline.backends.heads import HEADS
from pipeline.backends.pytorch import beyond, network
from pipeline.progress import work


def predict(config: Asking, out: Path, *, model: Model, tokens: Tokens) -> Predictions:
    """Run the saved model over the validation and test splits, in full precision; let it write, if it can."""
    import numpy as np

    net = network.load_saved(model.path)
    net.to(network.device())
    made, size = Predictions(out), config.prediction.batch_size
    for split in tokens.splits():
        if split != "train":
            features = tokens.features(split)
            with work(f"predicting {split}", len(features)) as advance:
                np.save(out / f"{split}.npy", network.answers(net, config.head, features, size, advance=advance))
            if HEADS[config.head].predicts:
                beyond.ask(net, config, features, model, made, split)
    return made
