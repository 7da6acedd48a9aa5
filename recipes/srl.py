"""Semantic roles: who did what to whom, when, where and how?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Training
from pipeline.chain import Settings, finetuned
from pipeline.corpora.source import Source
from pipeline.step import Step
from pipeline.tasks.roles import KIND, RoleLabelling

ROLES = Path(__file__).parent / "data" / "roles"


@dataclass(frozen=True)
class Config(Settings):
    corpus: Source = Source(str(ROLES))
    task: RoleLabelling = RoleLabelling()
    training: Training = Training(epochs=5, batch_size=16, learning_rate=2e-4, metric="f1")


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
