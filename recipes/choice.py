"""Multiple choice: which of several answers fits best?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.choice import KIND, MultipleChoice

PUZZLES = Path(__file__).parent / "data" / "puzzles"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(PUZZLES))
    task: MultipleChoice = MultipleChoice()
    training: Training = Training(epochs=8, batch_size=16, learning_rate=1e-4)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
