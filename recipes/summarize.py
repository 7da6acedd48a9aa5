"""Summaries: what does a text say in short?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Generation, Training
from pipeline.chain import WritingSettings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.seq2seq import SUMMARIZATION as KIND
from pipeline.tasks.seq2seq import Summarization

SUMMARIES = Path(__file__).parent / "data" / "summaries"


@dataclass(frozen=True)
class Config(WritingSettings):
    corpus: Source = Source(str(SUMMARIES))
    task: Summarization = Summarization()
    max_length: int = 256
    training: Training = Training(epochs=20, batch_size=16, learning_rate=3e-4, metric="loss")
    generation: Generation = Generation(max_new_tokens=64, no_repeat_ngram_size=3)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
