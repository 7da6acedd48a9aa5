"""Running a fine-tuned model with TensorFlow."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.artifacts import Model, Predictions, Tokens
from pipeline.backends import Asking, predicted
from pipeline.backends.batches import answers
from pipeline.backends.heads import HEADS
from pipeline.backends.tensorflow import network
from pipeline.progress import work


def predict(config: Asking, out: Path, *, model: Model, tokens: Tokens) -> Predictions:
    """Run the saved model over the validation and test splits, in full precision.  What is asked besides, such as texts, is
    PyTorch's to answer, from the same files."""
    import numpy as np

    net, made, head = network.load_saved(model), Predictions(out), HEADS[config.head]
    splits, size = [split for split in tokens.splits() if split != "train"], config.prediction.batch_size
    first = tokens.features(splits[0])
    one = np.arange(1)
    run = network.compiled(net, predicted.ASKED[config.head](first, one)[0] if head.predicts else first.inputs(one))
    if head.predicts:
        measure = partial(network.measured, net, run, config.head)
    else:
        outputs = len(net.config["id2label"])
        measure = partial(answers, run, outputs=outputs, tokens=net.head.tokens)
    for split in splits:
        features = tokens.features(split)
        with work(f"predicting {split}", len(features)) as advance:
            np.save(out / f"{split}.npy", measure(features, batch_size=size, advance=advance))
    if head.predicts:
        _ask_pytorch(config, model, tokens, made, splits)
    return made


def _ask_pytorch(config: Asking, model: Model, tokens: Tokens, made: Predictions, splits: list[str]) -> None:
    from pipeline.backends.pytorch import beyond
    from pipeline.backends.pytorch import network as networks

    net = networks.load_saved(model.path)
    net.to(networks.device())
    for split in splits:
        beyond.ask(net, config, tokens.features(split), model, made, split)
