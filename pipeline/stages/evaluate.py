"""Judge a model's answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Corpus, Model, Predictions, Scores, Tokens
from pipeline.backends import LOWER
from pipeline.backends.heads import HEADS
from pipeline.errors import CheckFailed
from pipeline.progress import say, work
from pipeline.tasks import Evidence, Judging, Task

if TYPE_CHECKING:
    import pyarrow as pa

# Batches of other sizes round otherwise: that share of what is better if lower, that many rows on the edge; a mean over
# labels hangs on few rows of each.
LOSS, ROWS, MEAN = 1e-3, 2, 0.05
BOUNDS = ("begins", "ends")  # columns of a corpus that tell people nothing


@dataclass(frozen=True)
class Evaluation:
    """What was asked, and how the answers are read and judged."""

    task: Task
    judging: Judging


def evaluate(
    config: Evaluation, out: Path, *, model: Model, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Scores:
    """Score every split that was predicted, with what a guess would score and 95% intervals beside it.

    Raises:
        CheckFailed: the saved model does not answer as the one in training did.
    """
    made = Scores(out)
    (out / "predictions").mkdir()
    scores, details = {}, {}
    trained = model.read("history.json")["validation"]
    for split in corpus.splits():
        if split == "train":
            continue
        found = _evidence(config.task, split, model, predictions, tokens, corpus)
        if split == "validation":
            _compare(config.task.monitor(found.logits, found.features, found.labels), trained, len(found.corpus))
        scores[split], details[split] = config.judging.judge(found)
        _write_answers(config, made, split, found)
        say(f"{split}: {told(scores[split], details[split])}")
    made.write("scores.json", scores)
    made.write("details.json", details)
    return made


def told(scores: dict[str, float], details: dict[str, Any]) -> str:
    """The score to look at first, in words."""
    name = next(iter(scores))
    low, high = details["intervals"][name]
    base = scores.get(f"baseline_{name}")
    guess = f"; baseline {base:.4f}" if base is not None else ""
    return f"{name.replace('_', ' ')} {scores[name]:.4f} (95% interval {low:.4f} to {high:.4f}{guess})"


def _evidence(
    task: Task, split: str, model: Model, predictions: Predictions, tokens: Tokens, corpus: Corpus
) -> Evidence:
    import numpy as np

    return Evidence(
        logits=np.load(predictions.path / f"{split}.npy", mmap_mode="r"),
        features=tokens.features(split),
        learned=tokens.features("train"),
        extra=predictions.extra(split),
        corpus=corpus.table(split),
        labels=corpus.read("labels.json"),
        task=task,
        decision=model.read("decision.json"),
        train=corpus.table("train"),
    )


def _compare(saved: dict[str, float], trained: dict[str, float], rows: int) -> None:
    """The numbers of the saved model must be those that training ended with."""
    for name, value in trained.items():
        allowed = LOSS * max(1, abs(value)) if name in LOWER else max(ROWS / rows, MEAN * name.startswith("f1"))
        if not abs(saved[name] - value) <= allowed:  # nor may it be no number
            raise CheckFailed(
                f"the saved model's validation {name} is {saved[name]:.6f}, but training ended with {value:.6f}: it was "
                "not saved or loaded whole; run again with --force finetune --force predict, and report it if it stays"
            )


def _write_answers(config: Evaluation, made: Scores, split: str, found: Evidence) -> None:
    names = found.labels if HEADS[config.task.head].labelled else []
    file = made.path / "predictions" / f"{split}.jsonl"
    rows = found.corpus.num_rows
    with file.open("w", encoding="utf-8") as stream, work(f"writing {split}", rows) as advance:
        for example, answer in zip(_examples(found.corpus, names), config.judging.decode(found), strict=True):
            stream.write(json.dumps({**example, **answer}, ensure_ascii=False) + "\n")
            advance(1)


def _examples(corpus: pa.Table, labels: list[str]) -> Any:
    """Each example as people know it: where it stood, its texts, and its target, if it has one, as ``truth``."""
    names = [name for name in corpus.column_names if name not in ("row", "label", *BOUNDS)]
    for batch in corpus.to_batches(max_chunksize=2_000):
        for row in batch.to_pylist():
            truth = {"truth": _named(row["label"], labels)} if "label" in row else {}
            yield {"row": row["row"], **{name: row[name] for name in names}, **truth}


def _named(target: Any, labels: list[str]) -> Any:
    """A target with names for numbers of labels, if there are any; a number as it was written."""
    if isinstance(target, list):
        return [_named(one, labels) for one in target]
    if isinstance(target, float):
        return float(f"{target:.7g}")  # single precision, in which the corpus has it, holds no more
    return labels[target] if labels else target
