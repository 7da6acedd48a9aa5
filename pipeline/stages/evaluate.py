"""Judge a model's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import Corpus, Model, Predictions, Scores
from pipeline.errors import CheckFailed
from pipeline.progress import say, work
from pipeline.tasks import Array, Task

# From logits, targets and label names: scores, among them "accuracy"; and details, among them "intervals" with that of
# accuracy.  A function of its own and no method of the task, so that an edit to a metric does not undo a training.
Judge = Callable[[Array, Array, list[str]], tuple[dict[str, float], dict[str, Any]]]
LOSS, ROWS = 1e-3, 2  # batches of other sizes round otherwise: that much loss, that many rows on the edge


@dataclass(frozen=True)
class Evaluation:
    """How to judge: ``judge(logits, targets, labels)`` gives scores, a number each, and details."""

    task: Task
    judge: Judge


def evaluate(config: Evaluation, out: Path, *, model: Model, predictions: Predictions, corpus: Corpus) -> Scores:
    """Score every split that was predicted, with what a guess would score and a 95% interval beside it.

    Raises:
        CheckFailed: the saved model does not answer as the one in training did.
    """
    import numpy as np

    labels = corpus.read("labels.json")
    made = Scores(out)
    (out / "predictions").mkdir()
    scores, details = {}, {}
    trained = model.read("history.json")["validation"]
    for split in corpus.splits():
        if split == "train":
            continue
        logits = np.load(predictions.path / f"{split}.npy", mmap_mode="r")
        targets = corpus.table(split)["label"].to_numpy()
        if split == "validation":
            _compare(config.task.monitor(logits, targets), trained, len(targets))
        scores[split], details[split] = config.judge(logits, targets, labels)
        _write_answers(config.task, made, corpus, split, logits, labels)
        low, high = details[split]["intervals"]["accuracy"]
        say(f"{split}: accuracy {scores[split]['accuracy']:.4f} (95% interval {low:.4f} to {high:.4f})")
    made.write("scores.json", scores)
    made.write("details.json", details)
    return made


def _compare(saved: dict[str, float], trained: dict[str, float], rows: int) -> None:
    """The numbers of the saved model must be those that training ended with."""
    for name, value in trained.items():
        if abs(saved[name] - value) > (LOSS if name == "loss" else ROWS / rows):
            raise CheckFailed(
                f"the saved model's validation {name} is {saved[name]:.6f}, but training ended with {value:.6f}: it was "
                "not saved or loaded whole; run again with --force finetune --force predict, and report it if it stays"
            )


def _write_answers(task: Task, made: Scores, corpus: Corpus, split: str, logits: Array, labels: list[str]) -> None:
    table = corpus.table(split)
    file = made.path / "predictions" / f"{split}.jsonl"
    with file.open("w", encoding="utf-8") as stream, work(f"writing {split}", table.num_rows) as advance:
        start = 0
        for batch in table.to_batches(max_chunksize=2_000):
            answers = task.decode(logits[start : start + len(batch)], labels)
            for row, answer in zip(batch.to_pylist(), answers, strict=True):
                told = {"row": row["row"], "text": row["text"], "truth": labels[row["label"]], **answer}
                stream.write(json.dumps(told, ensure_ascii=False) + "\n")
            start += len(batch)
            advance(len(batch))
