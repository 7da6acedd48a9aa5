"""Settings that make no sense are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Model
from pipeline.backends import Prediction, Training
from pipeline.errors import CheckFailed, UserError
from pipeline.stages.facts import Description
from tests.conftest import Cli


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be more than 0"),
        ({"warmup_ratio": 1.0}, "warmup_ratio is a share of the steps"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative"),
        ({"momentum": 1.0}, "momentum is a share of the last step"),
        ({"l1": -0.1}, "l1 and l2 must not be negative"),
        ({"l2": -0.1}, "l1 and l2 must not be negative"),
        ({"adapter_rank": 0}, "adapter_rank and adapter_alpha must be at least 1"),
        ({"adapter_alpha": 0}, "adapter_rank and adapter_alpha must be at least 1"),
        ({"adapter_dropout": 1.0}, "adapter_dropout is a share, from 0 to below 1"),
        ({"dropout": 1.0}, "dropout is a share, from 0 to below 1, or none"),
        ({"max_grad_norm": -1.0}, "max_grad_norm must not be negative"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps must be at least 1"),
        ({"label_smoothing": 1.0}, "label_smoothing is a share"),
        ({"patience": -1}, "patience is a number of epochs"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds must not be negative"),
    ],
)
def test_a_training_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Training(**settings)


def test_a_prediction_of_no_texts_at_once_is_refused() -> None:
    with pytest.raises(UserError, match="batch_size must be at least 1"):
        Prediction(batch_size=0)


def test_a_language_that_is_no_code_is_refused() -> None:
    with pytest.raises(UserError, match="language=English: expected an ISO 639 code"):
        Description(language="English")


def test_all_mistakes_are_told_at_once_with_their_paths(cli: Cli) -> None:
    done = cli("show", "sentiment", "training.epochs=0", "corpus.seed=-1", "card.language=English")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    for path in ("training.epochs=0", "corpus.seed=-1", "card.language=English"):
        assert f"error: {path}: " in done.stderr


@pytest.mark.slow
def test_a_model_without_the_head_that_is_needed_is_refused_by_its_kind(tmp_path: Path) -> None:
    from pipeline.backends.pytorch import network

    (tmp_path / "config.json").write_text('{"model_type": "clip"}', encoding="utf-8")
    with pytest.raises(UserError, match="a clip model cannot do classification; choose a BERT"):
        network.load(Model(tmp_path), "classification", ["a", "b"], Training(), np.arange(3))


@pytest.mark.slow
def test_a_card_that_does_not_read_back_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Metadata with a number that YAML cannot hold as it is."""
    from pipeline.stages import card as stage

    def metadata(_: object) -> Any:
        from huggingface_hub import EvalResult, ModelCardData

        result = EvalResult("text-classification", "custom", "custom", "accuracy", float("nan"), dataset_split="test")
        return ModelCardData(model_name="x", eval_results=[result])

    monkeypatch.setattr(stage, "Facts", lambda *_: None)
    monkeypatch.setattr(stage, "metadata", metadata)
    monkeypatch.setattr(stage, "lines", lambda _: [])
    with pytest.raises(CheckFailed, match="does not read back as written"):
        stage.card(None, tmp_path, **dict.fromkeys(("base", "corpus", "tokens", "model", "scores", "bundle")))  # type: ignore[arg-type]


@pytest.mark.slow
def test_grouped_queries_attend_as_transformers_has_them() -> None:
    import torch

    from pipeline.backends.pytorch.dropout import attention

    torch.manual_seed(0)
    query, key, value = torch.randn(2, 4, 5, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    found, _ = attention(None, query, key, value, None)
    wanted = torch.nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    assert torch.allclose(found, wanted.transpose(1, 2), atol=1e-6)


@pytest.mark.slow
def test_attention_over_many_tokens_is_computed_in_parts_that_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.backends.pytorch import dropout

    torch.manual_seed(0)
    given = [torch.randn(5, 4, 6, 8) for _ in range(3)]
    hidden = torch.zeros(5, 1, 6, 6)
    hidden[1:, ..., 4:] = torch.finfo(torch.float32).min
    places = torch.randn(1, 4, 6, 6)

    def attended(most: int) -> list[torch.Tensor]:
        monkeypatch.setattr(dropout, "MOST", most)
        asked = [tensor.clone().requires_grad_() for tensor in given]
        torch.manual_seed(1)
        answers = [
            dropout.attention(None, *asked, mask, dropout=0.25, position_bias=bias)[0]
            for mask, bias in [(hidden, None), (None, places), (hidden, places), (None, None)]
        ]
        sum((answer**2).sum() for answer in answers).backward()
        return [*answers, *(tensor.grad for tensor in asked)]

    whole = attended(10**9)
    for most in (1, 300, 720):  # a row, two, and all of them
        for ours, theirs in zip(attended(most), whole, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
def test_dropout_by_bytes_drops_as_much_as_it_should_and_keeps_the_mean() -> None:
    import torch

    from pipeline.backends.pytorch.dropout import drop

    torch.manual_seed(0)
    values = torch.ones(1_000_003)
    dropped = drop(values, 0.1)
    assert float((dropped == 0).float().mean()) == pytest.approx(26 / 256, abs=2e-3)
    assert float(dropped.mean()) == pytest.approx(1, abs=2e-3)
    assert torch.equal(drop(values, 0.0), values)
