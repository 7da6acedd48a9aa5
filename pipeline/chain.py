"""The steps from a base model and labelled text to an exported model with a card: what recipes have in common.

A recipe says what is learned from what, and how; :func:`finetuned` wires the stages.  A recipe that needs other steps
wires its own, as docs/recipes.md shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pipeline import backends, formats
from pipeline.backends import Asking, Finetuning, Generation, Prediction, Training
from pipeline.backends.heads import HEADS
from pipeline.backends.scratch import ANEW
from pipeline.corpora.source import Source
from pipeline.fields import require
from pipeline.formats import Export
from pipeline.privacy.mask import masked
from pipeline.reproduction import command
from pipeline.stages.card import card
from pipeline.stages.collect import Collection, collect
from pipeline.stages.evaluate import Evaluation, evaluate
from pipeline.stages.export import Packaging, export
from pipeline.stages.facts import CardContent, Description
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.metadata import known
from pipeline.stages.publish import Publication, Publishing, publish
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


@dataclass(frozen=True, kw_only=True)
class WritingSettings(Settings):
    """What recipes can be told besides whose models write."""

    generation: Generation = Generation()


class Learning(Protocol):
    """What is learned from what, and how."""

    @property
    def corpus(self) -> Source: ...
    @property
    def task(self) -> Any: ...
    @property
    def max_length(self) -> int: ...
    @property
    def training(self) -> Training: ...


@dataclass(frozen=True)
class Trained:
    """The steps of one training."""

    base: Step
    corpus: Step
    tokens: Step
    model: Step


def trained(learning: Learning, kind: Kind, backend: backends.Backend, base: Step, prefix: str = "") -> Trained:
    """Corpus → tokens → model, from the weights that ``base`` makes: those of a checkpoint, or of another training.

    Args:
        prefix: in front of the names of the steps, where a recipe has more than one training.
    """
    task, skip = kind.learned(learning.task), learning.task.invalid == "skip"
    form = masked(kind.form(learning.task), learning.corpus.mask)
    collection = Collection(learning.corpus, form, skip=skip)
    corpus = Step(collect, collection, name=f"{prefix}collect")
    tokenization = Tokenization(task, learning.max_length)
    tokens = Step(tokenize, tokenization, name=f"{prefix}tokenize", base=base, corpus=corpus)
    finetuning = Finetuning(task, learning.training)
    model = Step(backend.finetune, finetuning, name=f"{prefix}finetune", base=base, tokens=tokens)
    return Trained(base, corpus, tokens, model)


def fetched(config: Settings, backend: backends.Backend) -> Step:
    """The base model."""
    return Step(fetch, Fetching(config.base, backend.KINDS[config.task.head]))


def finetuned(config: Settings, kind: Kind, base: Step | None = None) -> Step:
    """Base and corpus → tokens → model → predictions → scores, exports, card and, if asked for, publication.

    Args:
        base: what makes the weights to begin with; if nothing is said, the checkpoint of ``config`` is fetched.
    """
    require(
        config.base.model != ANEW or config.task.head == "causal",
        "base.model=anew: is for recipes that go on with text, such as generate; name a folder or an id on the Hub",
    )
    backend, task, head = backends.load(config.backend), config.task, HEADS[config.task.head]
    backends.check(config.backend, backend.LIMITS, config.training)
    config.publication.check(adapter=config.training.adapter != "none")
    generation = getattr(config, "generation", None)
    steps = trained(config, kind, backend, base or fetched(config, backend))
    learned: Any = {"model": steps.model, "tokens": steps.tokens}
    predictions = Step(backend.predict, Asking(task.head, config.prediction, generation), **learned)
    answered: Any = {**learned, "predictions": predictions, "corpus": steps.corpus}
    scores = Step(evaluate, Evaluation(task, kind.judging), **answered)
    chosen = formats.chosen(config.export, writes=head.writes)
    bundle = Step(
        export, Packaging(config.export, kind.learned(task), chosen, generation, config.training.metric), **answered
    )
    content = _content(config)
    described = Step(card, content, base=steps.base, corpus=steps.corpus, **learned, scores=scores, bundle=bundle)
    if config.publication.repo:
        publishing = Publishing(config.publication, known(content, _base_id(config.base), config.base.folder))
        return Step(publish, publishing, bundle=bundle, scores=scores, card=described)
    return described


def _content(config: Settings) -> CardContent:
    """What a card has to say that no result says."""
    again, places = command(config)
    corpus, to = config.corpus, config.publication
    dataset = (corpus.source, corpus.revision) if corpus.remote else ("", "")
    return CardContent(config.card, config.task, config.training, to.weights, to.repo, dataset, again, places)


def _base_id(base: Checkpoint) -> str:
    """The base model's id on the Hub, if its weights are what is trained."""
    hosted = base.model != ANEW and not base.folder and base.architecture == "transformer"
    return base.model if hosted else ""
