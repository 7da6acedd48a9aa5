"""Spam: which messages are it?  They are few, so their F1 counts, and from which probability on is chosen for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.stages.fetch import Checkpoint
from pipeline.step import Step
from pipeline.tasks.classification import KIND, Classification

MESSAGES = Path(__file__).parent / "data" / "messages"


@dataclass(frozen=True)
class Config(Settings):
    base: Checkpoint = Checkpoint("sentence-transformers/all-MiniLM-L6-v2", pooling="auto")
    corpus: Source = Source(str(MESSAGES))
    task: Classification = Classification(positive=("spam", "1"))
    training: Training = Training(epochs=3, batch_size=32, learning_rate=1e-4, metric="loss")


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
