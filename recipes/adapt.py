"""Adaptation: which words belong where some are hidden?  An encoder learns the language of a field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.masked import KIND, MaskedLanguageModeling

NOTES = Path(__file__).parent / "data" / "notes"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(NOTES))
    task: MaskedLanguageModeling = MaskedLanguageModeling()
    training: Training = Training(epochs=5, batch_size=32, learning_rate=1e-4, metric="loss")


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
