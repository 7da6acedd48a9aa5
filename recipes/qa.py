"""Question answering: where in a passage is the answer, if it is there?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.questions import KIND, QuestionAnswering

QUESTIONS = Path(__file__).parent / "data" / "questions"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(QUESTIONS))
    task: QuestionAnswering = QuestionAnswering()
    max_length: int = 256
    training: Training = Training(epochs=12, batch_size=8, learning_rate=1.5e-4, metric="f1")


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
