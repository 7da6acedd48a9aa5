"""Sentiment: does a review praise or complain?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import backends, formats
from pipeline.backends import Finetuning, Prediction, Training
from pipeline.formats import Export
from pipeline.stages.card import CardContent, Description, card
from pipeline.stages.collect import Collection, Source, collect
from pipeline.stages.evaluate import Evaluation, evaluate
from pipeline.stages.export import Packaging, export
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.publish import Publication, publish
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.step import Step
from pipeline.tasks.classification import Classification, judge

REVIEWS = Path(__file__).parent / "data" / "reviews"


@dataclass(frozen=True)
class Config:
    backend: backends.Name = "pytorch"
    """what to train with"""
    base: Checkpoint = Checkpoint("sentence-transformers/all-MiniLM-L6-v2")
    corpus: Source = Source(str(REVIEWS))
    task: Classification = Classification(text="text", label="label")
    max_length: int = 128
    """tokens; longer texts are cut"""
    training: Training = Training(epochs=3, batch_size=32, learning_rate=1e-4)
    prediction: Prediction = Prediction()
    export: Export = Export()
    card: Description = Description()
    publication: Publication = Publication()


def plan(config: Config) -> Step:
    backend = backends.load(config.backend)
    base = Step(fetch, Fetching(config.base, backend.KINDS))
    corpus = Step(collect, Collection(config.corpus, config.task.columns))
    tokens = Step(tokenize, Tokenization(config.task, config.max_length), base=base, corpus=corpus)
    model = Step(backend.finetune, Finetuning(config.task, config.training), base=base, tokens=tokens)
    predictions = Step(backend.predict, config.prediction, model=model, tokens=tokens)
    scores = Step(evaluate, Evaluation(config.task, judge), model=model, predictions=predictions, corpus=corpus)
    packaging = Packaging(config.export, formats.chosen(config.export))
    bundle = Step(export, packaging, model=model, predictions=predictions, tokens=tokens, corpus=corpus)
    content = CardContent(config.card, "text-classification", config.training)
    described = Step(card, content, base=base, corpus=corpus, tokens=tokens, model=model, scores=scores, bundle=bundle)
    if config.publication.repo:
        return Step(publish, config.publication, bundle=bundle, scores=scores, card=described)
    return described
