"""Similarity: how much do two texts mean the same, as a number?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.regression import KIND, PairRegression

SIMILARITY = Path(__file__).parent / "data" / "similarity"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(SIMILARITY))
    task: PairRegression = PairRegression()
    training: Training = Training(epochs=5, batch_size=16, learning_rate=5e-5, metric="pearson")


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
