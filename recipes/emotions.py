"""Emotions: which of several does a text show, if any?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.stages.fetch import Checkpoint
from pipeline.step import Step
from pipeline.tasks.multilabel import KIND, MultiLabel

FEELINGS = Path(__file__).parent / "data" / "feelings"


@dataclass(frozen=True)
class Config(Settings):
    base: Checkpoint = Checkpoint("sentence-transformers/all-MiniLM-L6-v2", pooling="auto")
    corpus: Source = Source(str(FEELINGS))
    task: MultiLabel = MultiLabel()
    max_length: int = 64
    training: Training = Training(epochs=4, batch_size=32, learning_rate=1.5e-4, metric="f1")


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
