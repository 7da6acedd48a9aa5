"""Parts of speech: what is each word?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.tagging import KIND, PartsOfSpeech

WORDS = Path(__file__).parent / "data" / "words"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(WORDS))
    task: PartsOfSpeech = PartsOfSpeech()
    training: Training = Training(epochs=5, batch_size=8, learning_rate=3e-4)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
