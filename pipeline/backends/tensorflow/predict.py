"""Running a fine-tuned model with TensorFlow."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import Model, Predictions, Tokens
from pipeline.backends import Prediction
from pipeline.backends.batches import answers
from pipeline.backends.tensorflow import network
from pipeline.progress import work


def predict(config: Prediction, out: Path, *, model: Model, tokens: Tokens) -> Predictions:
    """Run the saved model over the validation and test splits, in full precision."""
    import numpy as np

    net, made = network.load_saved(model), Predictions(out)
    outputs, splits = len(net.config["id2label"]), [split for split in tokens.splits() if split != "train"]
    run = network.compiled(net, tokens.features(splits[0]).inputs([0]))
    for split in splits:
        features = tokens.features(split)
        with work(f"predicting {split}", len(features)) as advance:
            found = answers(run, features, config.batch_size, outputs, tokens=net.head.tokens, advance=advance)
        np.save(out / f"{split}.npy", found)
    return made
