"""Sentiment: does a review praise or complain?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.classification import KIND, Classification

REVIEWS = Path(__file__).parent / "data" / "reviews"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(REVIEWS))
    task: Classification = Classification(text="text", label="label")
    training: Training = Training(epochs=3, batch_size=32, learning_rate=1e-4)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
