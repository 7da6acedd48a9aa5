"""The steps from a base model and labelled text to an exported model with a card: what recipes have in common.

A recipe says what is learned from what, and how; :func:`finetuned` wires the stages.  A recipe that needs other steps
wires its own, as docs/recipes.md shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline import backends, formats
from pipeline.backends import Finetuning, Prediction, Training
from pipeline.corpora.source import Source
from pipeline.formats import Export
from pipeline.stages.card import CardContent, Description, card
from pipeline.stages.collect import Collection, collect
from pipeline.stages.evaluate import Evaluation, evaluate
from pipeline.stages.export import Packaging, export
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.publish import Publication, publish
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.step import Step
from pipeline.tasks import Kind, Task


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every such recipe can be told.  Its own ``Config`` says what it learns, from what and how."""

    backend: backends.Name = "pytorch"
    """what to train with"""
    base: Checkpoint = Checkpoint("sentence-transformers/all-MiniLM-L6-v2")
    corpus: Source
    task: Task
    max_length: int = 128
    """tokens of a text, or of two together; longer ones are cut, or read in windows where words are answered"""
    training: Training
    prediction: Prediction = Prediction()
    export: Export = Export()
    card: Description = Description()
    publication: Publication = Publication()


def finetuned(config: Settings, kind: Kind) -> Step:
    """Base and corpus → tokens → model → predictions → scores, exports, card and, if asked for, publication."""
    backend = backends.load(config.backend)
    task, learned, skip = config.task, kind.learned(config.task), getattr(config.task, "invalid", "refuse") == "skip"
    base = Step(fetch, Fetching(config.base, backend.KINDS))
    corpus = Step(collect, Collection(config.corpus, kind.form(task), skip=skip))
    tokens = Step(tokenize, Tokenization(learned, config.max_length), base=base, corpus=corpus)
    model = Step(backend.finetune, Finetuning(learned, config.training), base=base, tokens=tokens)
    predictions = Step(backend.predict, config.prediction, model=model, tokens=tokens)
    scores = Step(
        evaluate, Evaluation(task, kind.judging), model=model, predictions=predictions, tokens=tokens, corpus=corpus
    )
    packaging = Packaging(config.export, learned, formats.chosen(config.export))
    bundle = Step(export, packaging, model=model, predictions=predictions, tokens=tokens, corpus=corpus)
    content = CardContent(config.card, task, config.training)
    described = Step(card, content, base=base, corpus=corpus, tokens=tokens, model=model, scores=scores, bundle=bundle)
    if config.publication.repo:
        return Step(publish, config.publication, bundle=bundle, scores=scores, card=described)
    return described
