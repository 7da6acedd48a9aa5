"""A recipe against what one would use instead, the stock Trainer at its best, on the same rows.

    python benchmarks/tasks.py RECIPE --data FOLDER [--limit ROWS] [--epochs N] [--learning-rate X] [--batch-size N]
        [--backend pytorch|tensorflow] [--skip-stock] [--home FOLDER]

Both get the same base model, rows and greatest length, and keep the best epoch's weights by the recipe's metric on the
validation split.  For the rest this side has the settings of the recipe, and the stock side those that transformers'
``run_glue.py`` and ``run_ner.py`` are recommended with, their tokenizing and alignment, and besides bf16 where the
processor has it, batches grouped by length and padded to their longest row, and the fused AdamW.  What is given here
counts for both.  Each runs in a process of its own; nothing else should run meanwhile.  Printed: seconds in training
steps alone, rows of the training split a second, scores of the test split, or where there is none of the validation
split, all by the recipe's own measures, and the ratios.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import sides
from examples import STOCK, encoded

RECIPES = ("similarity", "ner", "topics", "qa")


def main() -> None:
    options = arguments()
    if options.side:
        print(json.dumps({"ours": ours, "stock": stock}[options.side](options)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = options.home or Path(temporary)
        both = options.recipe in STOCK and not options.skip_stock
        if options.recipe not in STOCK:
            print(f"{options.recipe} has no stock side here: --skip-stock is implied", flush=True)
        prepare(options, place)
        found = {side: sides.measure(side, place) for side in (("ours", "stock") if both else ("ours",))}
    tell(found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--backend", choices=["pytorch", "tensorflow"], default="pytorch")
    parser.add_argument("--skip-stock", action="store_true")
    parser.add_argument("--home", type=Path, help="a new or empty folder to keep all results in")
    parser.add_argument("--side", choices=["ours", "stock"], help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.side and options.home and options.home.exists() and any(options.home.iterdir()):
        parser.error(f"--home {options.home}: is not empty; name a new folder")
    return options


def settings(options: argparse.Namespace, usual: Any) -> Any:
    """``usual``, which has ``epochs``, ``batch_size`` and ``learning_rate``, with those that are given."""
    names = ("epochs", "batch_size", "learning_rate")
    return replace(usual, **{name: value for name in names if (value := getattr(options, name)) is not None})


def recipe(options: argparse.Namespace) -> tuple[Any, Any]:
    """The recipe's settings for these options, and its kind of task."""
    from pipeline import recipes

    found = recipes.load(options.recipe)
    config = found.Config(backend=options.backend)
    corpus = replace(config.corpus, source=options.data, limit=options.limit)
    return replace(config, corpus=corpus, training=settings(options, config.training)), found.KIND


def prepare(options: argparse.Namespace, place: Path) -> None:
    """What both sides begin with: the base model and the corpus; and the tokens of this side."""
    from pipeline import backends
    from pipeline.stages.collect import Collection, collect
    from pipeline.stages.fetch import Fetching, fetch
    from pipeline.stages.tokenize import Tokenization, tokenize

    config, kind = recipe(options)
    kinds = backends.load(config.backend).KINDS[config.task.head]
    base = fetch(Fetching(config.base, kinds), folder(place / "base"))
    corpus = collect(Collection(config.corpus, kind.form(config.task)), folder(place / "corpus"))
    tokenization = Tokenization(kind.learned(config.task), config.max_length)
    tokenize(tokenization, folder(place / "tokens"), base=base, corpus=corpus)


def ours(options: argparse.Namespace) -> dict[str, Any]:
    from pipeline import backends
    from pipeline.artifacts import Corpus, Model, Tokens
    from pipeline.backends import Finetuning
    from pipeline.stages.evaluate import Evaluation, evaluate

    (config, kind), place = recipe(options), options.place
    backend, corpus, tokens = backends.load(config.backend), Corpus(place / "corpus"), Tokens(place / "tokens")
    finetuning = Finetuning(kind.learned(config.task), config.training)
    model = backend.finetune(finetuning, folder(place / "model"), base=Model(place / "base"), tokens=tokens)
    predictions = backend.predict(config.prediction, folder(place / "predictions"), model=model, tokens=tokens)
    scores = evaluate(
        Evaluation(config.task, kind.judging), folder(place / "scores"),
        model=model, predictions=predictions, tokens=tokens, corpus=corpus,
    ).read("scores.json")  # fmt: skip
    speed, epochs = model.read("logs/speed.json"), len(model.read("history.json")["epochs"])
    taken = replace(config.training, epochs=epochs)  # fewer, if it lost patience
    return result(corpus, taken, f"{config.backend} in {speed['precision']}", speed["seconds"], scores[last(corpus)])


def stock(options: argparse.Namespace) -> dict[str, Any]:
    import transformers
    from accelerate import PartialState

    from pipeline.artifacts import Corpus
    from pipeline.backends.pytorch.optimization import bf16

    (config, kind), usual, place = recipe(options), STOCK[options.recipe], options.place
    chosen, metric, corpus = settings(options, usual.settings), config.training.metric, Corpus(place / "corpus")
    fast = bf16("auto", PartialState().device)
    transformers.utils.logging.set_verbosity_error()
    transformers.set_seed(config.training.seed)
    labels = corpus.read("labels.json")
    model = getattr(transformers, usual.model).from_pretrained(place / "base", num_labels=max(1, len(labels)))
    tokenizer = transformers.AutoTokenizer.from_pretrained(place / "base")
    rows = {split: encoded(usual, tokenizer, corpus, split, config.max_length) for split in corpus.splits()}
    read, clock = partial(evidence, config.task, corpus, rows, tokenizer.pad_token_id), sides.step_clock()
    trainer = in_order()(
        model, sides.at_its_best(
            folder(place / "stock"), metric, num_train_epochs=chosen.epochs, learning_rate=chosen.learning_rate,
            per_device_train_batch_size=chosen.batch_size, bf16=fast, seed=config.training.seed,
        ),
        train_dataset=dataset(rows["train"]), eval_dataset=dataset(rows["validation"]), callbacks=[clock],
        data_collator=getattr(transformers, usual.collator)(tokenizer),
        compute_metrics=lambda found: {metric: monitored(read("validation", found.predictions), metric)},
    )  # fmt: skip
    trainer.train()
    trainer.compute_metrics = None  # it is of the validation split
    answers = trainer.predict(dataset(rows[last(corpus)])).predictions
    scores, _ = kind.judging.judge(read(last(corpus), answers))
    return result(corpus, chosen, f"pytorch in {'bf16' if fast else 'fp32'}", clock.seconds, scores)


def in_order():
    """The Trainer, but that it answers rows in their order: with batches grouped by length it mixes them up."""
    import torch
    import transformers

    class InOrder(transformers.Trainer):
        def _get_eval_sampler(self, eval_dataset):
            return torch.utils.data.SequentialSampler(eval_dataset)

    return InOrder


def dataset(rows: dict[str, Any]):
    """The same for the Trainer, which leaves out what the model does not take."""
    import datasets

    return datasets.Dataset.from_dict(rows).rename_column("label", "labels")


def evidence(task: Any, corpus: Any, rows: dict[str, Any], pad: int, split: str, answers: Any) -> Any:
    """What the task judges, of what the Trainer answers to a split: rows × outputs, or rows × longest row × outputs."""
    import numpy as np
    import pyarrow as pa

    from pipeline.features import Features
    from pipeline.tasks import Evidence

    features = Features(pa.table(rows[split]), pad)
    if answers.ndim == 3:
        answers = np.concatenate([row[:count] for row, count in zip(answers, features.lengths, strict=True)])
    logits, labels = answers.astype(np.float32), corpus.read("labels.json")
    return Evidence(logits, features, corpus.table(split), labels, task, {}, corpus.table("train"))


def monitored(found: Any, metric: str) -> float:
    """What this side chooses an epoch by."""
    return found.task.monitor(found.logits, found.features, found.labels)[metric]


def last(corpus: Any) -> str:
    """The split that scores are told of."""
    return corpus.splits()[-1]


def result(corpus: Any, chosen: Any, how: str, seconds: float, scores: dict[str, float]) -> dict[str, Any]:
    rows = corpus.table("train").num_rows * chosen.epochs
    return {
        "how": f"{how}, epochs {chosen.epochs}, batches of {chosen.batch_size}, learning rate {chosen.learning_rate}",
        "split": last(corpus),
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds, 1),
        "scores": {name: value for name, value in scores.items() if not name.startswith("baseline_")},
    }


def tell(found: dict[str, dict[str, Any]]) -> None:
    for side, each in found.items():
        print(f"{side}: {each['how']}")
    print(f"scores of the {found['ours']['split']} split:")
    names = list(found["ours"]["scores"])
    heads = ("side", "train seconds", "rows/s", *names)
    rows = [
        (side, f"{each['seconds']:.2f}", f"{each['rows_per_second']:.1f}", *(f"{each['scores'][n]:.4f}" for n in names))
        for side, each in found.items()
    ]
    for row in (heads, *rows):
        print("  ".join(f"{value:>{max(6, len(head))}}" for head, value in zip(heads, row, strict=True)))
    if "stock" in found:
        whole = found["stock"]["seconds"] / found["ours"]["seconds"]
        row = found["ours"]["rows_per_second"] / found["stock"]["rows_per_second"]
        print(f"the Trainer takes {whole:.2f} times as long for all, {row:.2f} times as long for a row")


def folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


if __name__ == "__main__":
    main()
