"""All that a model card is made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.artifacts import ADAPTER, Bundle, Corpus, Model, Scores, Tokens
from pipeline.backends import Training, classical
from pipeline.fields import require
from pipeline.stages.usage import usage_of
from pipeline.tasks import Task

SHOWN = 5  # scores in a table


@dataclass(frozen=True)
class Description:
    """What a card says that no file knows."""

    title: str = ""
    """of the card; empty: what the labels say"""
    language: str = ""
    """of the texts, as an ISO 639 code such as en or zh"""
    data: str = ""
    """what the texts are, such as "film reviews collected by …"; paths are never written into a card"""
    license: str = ""
    """of the model; empty: that of the base model, if it says one"""

    def __post_init__(self) -> None:
        fine = re.fullmatch(r"([a-z]{2,3}(-[A-Za-z]{2,4})?)?", self.language)
        require(fine is not None, f"language={self.language}: expected an ISO 639 code, such as en or zh")


@dataclass(frozen=True)
class CardContent:
    """A description, and what to say of task and training.

    Attributes:
        weights: which are published.
        repo: where; empty if nowhere.
        dataset: id and commit on the Hub of what was learned from; empty if it is not there.
        command: the recipe and the settings that make the same again, none of them a path.
        places: names in ``command`` that stand for paths, and what they stand for.
    """

    description: Description
    task: Task
    training: Training
    weights: Literal["merged", "adapter"] = "merged"
    repo: str = ""
    dataset: tuple[str, str] = ("", "")
    command: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)


class Facts:
    """What the results of the other stages say, and what they do not."""

    def __init__(
        self,
        config: CardContent,
        base: Model,
        corpus: Corpus,
        tokens: Tokens,
        model: Model,
        scores: Scores,
        bundle: Bundle,
    ) -> None:
        self.config, self.base = config, base
        self.source = base.read("source.json")
        self.architecture = base.read("config.json")
        self.scratch = classical.described(self.architecture)
        self.data, self.labels = corpus.read("data.json"), corpus.read("labels.json")
        self.usage = usage_of(config.task, chat=(model.path / "chat_template.jinja").is_file())
        self.own = (model.path / "target").is_dir()  # it writes in a vocabulary of its own
        self.title = config.description.title or self.usage.title.format(labels=", ".join(self.data["labels"][:6]))
        self.cut = tokens.read("tokens.json")
        self.history, self.decision = model.read("history.json"), model.read("decision.json")
        self.scores, self.details = scores.read("scores.json"), scores.read("details.json")
        self.exports = bundle.read("exports.json")
        self.adapter = bundle.read(f"{ADAPTER}/adapter_config.json") if config.weights == "adapter" else None

    @property
    def base_id(self) -> str:
        """The base model's id on the Hub; nothing for a folder."""
        return str(self.source["model"] if self.source["revision"] else "")
