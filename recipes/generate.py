"""Generation: how does a text go on, or what is the answer to a prompt?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.backends import Generation, Training
from pipeline.chain import WritingSettings, finetuned
from pipeline.corpora.source import Source
from pipeline.stages.fetch import Checkpoint
from pipeline.step import Step
from pipeline.tasks.causal import KIND, CausalLanguageModeling

INSTRUCTIONS = Path(__file__).parent / "data" / "instructions"


@dataclass(frozen=True)
class Config(WritingSettings):
    base: Checkpoint = Checkpoint("anew")
    corpus: Source = Source(str(INSTRUCTIONS))
    task: CausalLanguageModeling = CausalLanguageModeling()
    max_length: int = 256
    training: Training = Training(epochs=30, batch_size=16, learning_rate=1e-3, metric="loss")
    generation: Generation = Generation(max_new_tokens=64)


def plan(config: Config) -> Step:
    return finetuned(config, KIND)
