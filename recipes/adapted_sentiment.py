"""Sentiment, learned by an encoder that has read unlabelled texts of the same kind before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import backends
from pipeline.backends import Training
from pipeline.chain import Settings, fetched, finetuned, trained
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks import masked
from pipeline.tasks.classification import KIND, Classification
from pipeline.tasks.masked import MaskedLanguageModeling

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Adaptation:
    corpus: Source = Source(str(DATA / "notes"))
    task: MaskedLanguageModeling = MaskedLanguageModeling()
    max_length: int = 128
    """tokens of a piece"""
    training: Training = Training(epochs=5, batch_size=32, learning_rate=1e-4, metric="loss")


@dataclass(frozen=True)
class Config(Settings):
    adaptation: Adaptation = Adaptation()
    corpus: Source = Source(str(DATA / "reviews"))
    task: Classification = Classification()
    training: Training = Training(epochs=3, batch_size=32, learning_rate=1e-4)


def plan(config: Config) -> Step:
    backend = backends.load(config.backend)
    adapted = trained(config.adaptation, masked.KIND, backend, fetched(config, backend), prefix="adapt-")
    return finetuned(config, KIND, base=adapted.model)
