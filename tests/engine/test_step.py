"""Steps that do not fit together are refused when they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.artifacts import Artifact, Corpus, Model
from pipeline.step import Step, WiringError
from tests.engine.resources.settings import Box, Crate


class SmallModel(Model):
    """A kind of model."""


def gather(config: Box, out: Path) -> Corpus:
    return Corpus(out)


def learn(config: Box, out: Path, *, corpus: Corpus) -> SmallModel:
    return SmallModel(out)


def judge(config: None, out: Path, *, model: Model, corpus: Corpus) -> Artifact:
    return Artifact(out)


def silent(config: Box, out: Path):
    return out


def wrong(config: Box, out: Path) -> int:
    return 1


def test_a_step_is_named_after_its_stage_unless_told_otherwise() -> None:
    assert Step(gather, Box()).name == "gather"
    assert Step(gather, Box(), name="gather the test").name == "gather the test"


def test_steps_are_walked_needs_first_and_once() -> None:
    corpus = Step(gather, Box())
    model = Step(learn, Box(), corpus=corpus)
    assert Step(judge, None, model=model, corpus=corpus).walk()[:2] == [corpus, model]


def test_a_subclass_of_what_is_wanted_fits() -> None:
    corpus = Step(gather, Box())
    step = Step(judge, None, model=Step(learn, Box(), corpus=corpus), corpus=corpus)
    assert step.takes == {"model": Model, "corpus": Corpus}


@pytest.mark.parametrize("stage", [silent, wrong])
def test_a_stage_must_say_which_artifact_it_makes(stage: object) -> None:
    with pytest.raises(WiringError, match="does not say which artifact it makes: annotate what it returns"):
        Step(stage, Box())  # type: ignore[arg-type]


def test_a_missing_input_is_named() -> None:
    with pytest.raises(WiringError, match="judge needs corpus and model, which no step was given for"):
        Step(judge, None)


def test_an_input_too_many_is_named_with_what_is_taken() -> None:
    corpus = Step(gather, Box())
    with pytest.raises(WiringError, match="gather takes no corpus; it takes nothing"):
        Step(gather, Box(), corpus=corpus)
    with pytest.raises(WiringError, match="learn takes no data; it takes corpus"):
        Step(learn, Box(), corpus=corpus, data=corpus)


def test_an_input_of_another_kind_is_refused() -> None:
    corpus = Step(gather, Box())
    with pytest.raises(WiringError, match="judge wants model to be Model, but gather makes Corpus"):
        Step(judge, None, model=corpus, corpus=corpus)


def test_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(WiringError, match="gather wants Box as its settings, not Crate"):
        Step(gather, Crate())


def test_two_steps_of_one_name_are_refused() -> None:
    one, other = Step(gather, Box(1)), Step(gather, Box(2))
    model = Step(learn, Box(), corpus=one)
    with pytest.raises(WiringError, match="two steps are called gather; give one of them another name="):
        Step(judge, None, model=model, corpus=other).walk()
