"""Fine-tuning here against the stock Trainer at its best, on the same rows.

    python benchmarks/trainer.py [--data FOLDER] [--limit ROWS] [--epochs N] [--repeat N] [--precision bf16|fp32]

Both get the same base model, tokens, rows, epochs, batch size, learning rate, precision and threads, group batches
by length, use the fused AdamW, validate after every epoch and keep the best epoch's weights.  Each runs in a process
of its own, in turn; nothing else should run meanwhile.  Printed: seconds in training steps alone, seconds of
the whole call with validation and saving, test accuracy, peak memory of the process, and the ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import sides

BATCH_SIZE, RATE, LENGTH = 32, 1e-4, 128


def main() -> None:
    options = arguments()
    if options.side:
        print(json.dumps({"ours": ours, "trainer": trainer}[options.side](options)))
        return
    with tempfile.TemporaryDirectory() as place:
        prepare(options, Path(place))
        found: dict[str, list[dict[str, float]]] = {"ours": [], "trainer": []}
        for turn in range(options.repeat):
            for side in ("ours", "trainer") if turn % 2 == 0 else ("trainer", "ours"):
                found[side].append(sides.measure(side, Path(place)))
                print(side, found[side][-1], flush=True)
    for what in ("steps", "whole"):
        ratios = [b[what] / a[what] for a, b in zip(found["ours"], found["trainer"], strict=True)]
        print(
            f"{what}: the Trainer takes {statistics.median(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="recipes/data/reviews")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--side", choices=["ours", "trainer"], help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(options: argparse.Namespace, place: Path) -> None:
    from pipeline.corpora.source import Source
    from pipeline.stages.collect import Collection, collect
    from pipeline.stages.fetch import Checkpoint, Fetching, fetch
    from pipeline.stages.tokenize import Tokenization, tokenize
    from pipeline.tasks.classification import Classification, form

    for name in ("base", "corpus", "tokens"):
        (place / name).mkdir()
    base = fetch(Fetching(Checkpoint()), place / "base")
    source = Source(options.data, limit=options.limit)
    corpus = collect(Collection(source, form(Classification())), place / "corpus")
    tokenize(Tokenization(Classification(), LENGTH), place / "tokens", base=base, corpus=corpus)


def ours(options: argparse.Namespace) -> dict[str, float]:
    import numpy as np

    from pipeline.artifacts import Model, Tokens
    from pipeline.backends import Asking, Finetuning, Prediction, Training
    from pipeline.backends.pytorch import finetune, predict
    from pipeline.tasks.classification import Classification

    training = Training(options.epochs, BATCH_SIZE, RATE, precision=options.precision, seed=options.seed)
    tokens = Tokens(options.place / "tokens")
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        model = finetune(
            Finetuning(Classification(), training), Path(out), base=Model(options.place / "base"), tokens=tokens
        )
        whole = time.perf_counter() - begun
        steps = model.read("logs/speed.json")["seconds"]
        predict(Asking("classification", Prediction()), Path(out), model=model, tokens=tokens)
        answers = np.load(Path(out) / "test.npy").argmax(-1)
    return result(steps, whole, answers, tokens.table("test")["label"].to_numpy())


def trainer(options: argparse.Namespace) -> dict[str, float]:
    import datasets
    import transformers
    import transformers.models.bert.modeling_bert

    place = options.place
    transformers.utils.logging.set_verbosity_error()
    splits = {
        name: datasets.Dataset.from_file(str(place / "tokens" / f"{name}.arrow")).rename_column("label", "labels")
        for name in ("train", "validation", "test")
    }
    labels = json.loads((place / "tokens" / "labels.json").read_text(encoding="utf-8"))
    clock = sides.step_clock()
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        transformers.set_seed(options.seed)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(place / "base", num_labels=len(labels))
        tokenizer = transformers.AutoTokenizer.from_pretrained(place / "base")
        settings = sides.at_its_best(
            out, "accuracy", num_train_epochs=options.epochs, per_device_train_batch_size=BATCH_SIZE,
            learning_rate=RATE, warmup_steps=0.1, weight_decay=0.01, bf16=options.precision == "bf16",
            seed=options.seed,
        )  # fmt: skip
        stock = transformers.Trainer(
            model, settings, train_dataset=splits["train"], eval_dataset=splits["validation"], callbacks=[clock],
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
            compute_metrics=lambda found: {"accuracy": float((found[0].argmax(-1) == found[1]).mean())},
        )  # fmt: skip
        stock.train()
        stock.save_model(out)
        whole = time.perf_counter() - begun
        found = stock.predict(splits["test"])
    return result(clock.seconds, whole, found.predictions.argmax(-1), found.label_ids)


def result(steps: float, whole: float, answers, targets) -> dict[str, float]:
    accuracy = float((answers == targets).mean())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # Linux counts in KiB
    return {"steps": round(steps, 2), "whole": round(whole, 2), "test_accuracy": round(accuracy, 4), "peak_MiB": memory}


if __name__ == "__main__":
    main()
