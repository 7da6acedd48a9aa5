"""Paraphrases: do two texts say the same?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.stages.fetch import Checkpoint
from pipeline.step import Step
from pipeline.tasks.classification import KIND, PairClassification

PARAPHRASES = Path(__file__).parent / "data" / "paraphrases"


@dataclass(frozen=True)
class Config(Settings):
    base: Checkpoint = Checkpoint("sentence-transformers/all-MiniLM-L6-v2", pooling="auto")
    corpus: Source = Source(str(PARAPHRASES))
    task: PairClassification = PairClassification(positive=("paraphrase", "equivalent", "same", "duplicate", "1"))
    training: Training = Training(epochs=5, batch_size=16, learning_rate=5e-5)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
