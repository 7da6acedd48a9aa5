"""Fine-tuning with each backend here against KerasHub's own classifier, on the same rows.

    python benchmarks/backends.py [--data FOLDER] [--limit ROWS] [--epochs N] [--repeat N]

All get the same base model, rows, epochs, batch size, learning rate and threads.  KerasHub's ``BertTextClassifier`` is
used as its documentation does: ``fit`` on texts, padded to the length at which all cut them; once as it comes and
once in ``mixed_bfloat16``.  Each runs in a process of its own, in turn; nothing else should run meanwhile.
Printed: seconds in training steps alone, rows a second, test accuracy, peak memory, and ratios of the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import sides
import trainer

SIDES = ("tensorflow", "pytorch", "keras_hub", "keras_hub_bf16")


def main() -> None:
    options = arguments()
    if options.side:
        run = fit if options.side.startswith("keras_hub") else ours
        print(json.dumps(run(options)))
        return
    with tempfile.TemporaryDirectory() as place:
        trainer.prepare(options, Path(place))
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for turn in range(options.repeat):
            for side in SIDES if turn % 2 == 0 else reversed(SIDES):
                found[side].append(sides.measure(side, Path(place)))
                print(side, found[side][-1], flush=True)
    for side in SIDES[1:]:
        ratios = [b["steps"] / a["steps"] for a, b in zip(found["tensorflow"], found[side], strict=True)]
        print(
            f"{side} takes {statistics.median(ratios):.2f} times as long as tensorflow ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="recipes/data/reviews")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def ours(options: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    from pipeline import backends
    from pipeline.artifacts import Model, Tokens
    from pipeline.backends import Asking, Finetuning, Prediction, Training
    from pipeline.tasks.classification import Classification

    backend = backends.load(options.side)
    training = Training(options.epochs, trainer.BATCH_SIZE, trainer.RATE, seed=options.seed)
    tokens = Tokens(options.place / "tokens")
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        model = backend.finetune(
            Finetuning(Classification(), training), Path(out), base=Model(options.place / "base"), tokens=tokens
        )
        whole = time.perf_counter() - begun
        steps = model.read("logs/speed.json")["seconds"]
        backend.predict(Asking("classification", Prediction()), Path(out), model=model, tokens=tokens)
        answers = np.load(Path(out) / "test.npy").argmax(-1)
    rows = tokens.table("train").num_rows * options.epochs
    return result(rows, steps, whole, answers, tokens.table("test")["label"].to_numpy())


def fit(options: argparse.Namespace) -> dict[str, float]:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import keras_hub

    from pipeline.artifacts import Corpus

    keras.utils.set_random_seed(options.seed)
    if options.side.endswith("bf16"):
        keras.config.set_dtype_policy("mixed_bfloat16")
    corpus = Corpus(options.place / "corpus")
    texts, labels = {}, {}
    for split in ("train", "test"):
        table = corpus.table(split)
        texts[split], labels[split] = table["text"].to_pylist(), table["label"].to_numpy()
    begun = time.perf_counter()
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor.from_preset(
        str(options.place / "base"), sequence_length=trainer.LENGTH
    )
    model = keras_hub.models.BertTextClassifier.from_preset(
        str(options.place / "base"), num_classes=len(corpus.read("labels.json")), preprocessor=preprocessor
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(trainer.RATE, weight_decay=0.01), loss)
    first = time.perf_counter()
    model.fit(texts["train"], labels["train"], batch_size=trainer.BATCH_SIZE, epochs=options.epochs, verbose=0)
    ended = time.perf_counter()
    answers = model.predict(texts["test"], batch_size=64, verbose=0).argmax(-1)
    rows = len(texts["train"]) * options.epochs
    return result(rows, ended - first, ended - begun, answers, labels["test"])


def result(rows: int, steps: float, whole: float, answers, targets) -> dict[str, float]:
    return {**trainer.result(steps, whole, answers, targets), "rows_per_second": round(rows / steps, 1)}


if __name__ == "__main__":
    main()
