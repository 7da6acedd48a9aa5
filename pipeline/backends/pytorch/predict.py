"""Running a fine-tuned model with PyTorch."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import Model, Predictions, Tokens
from pipeline.backends import Prediction
from pipeline.backends.pytorch import network
from pipeline.progress import work


def predict(config: Prediction, out: Path, *, model: Model, tokens: Tokens) -> Predictions:
    """Run the saved model over the validation and test splits, in full precision."""
    import numpy as np

    net = network.load_saved(model.path)
    net.to(network.device())
    made = Predictions(out)
    for split in tokens.splits():
        if split != "train":
            features = tokens.features(split)
            with work(f"predicting {split}", len(features)) as advance:
                np.save(out / f"{split}.npy", network.answers(net, features, config.batch_size, advance=advance))
    return made
