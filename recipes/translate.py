"""Translation: what does a text say in another language?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Generation, Training
from pipeline.chain import WritingSettings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.seq2seq import TRANSLATION as KIND
from pipeline.tasks.seq2seq import Translation

TRANSLATIONS = Path(__file__).parent / "data" / "translations"


@dataclass(frozen=True)
class Config(WritingSettings):
    corpus: Source = Source(str(TRANSLATIONS))
    task: Translation = Translation(text="source")
    max_length: int = 64
    training: Training = Training(epochs=30, batch_size=16, learning_rate=3e-4, metric="loss")
    generation: Generation = Generation(max_new_tokens=64)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
