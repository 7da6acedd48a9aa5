"""The sentiment recipe through the real command line, on a small real model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli, quick, read_json

pytestmark = pytest.mark.slow


def test_one_command_leaves_a_model_scores_predictions_and_a_card(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    done = cli("run", "sentiment", *quick(reviews, tiny_model))
    assert done.returncode == 0, done.stderr
    results = home / "results" / "sentiment"
    scores = read_json(results / "scores.json")
    assert set(scores) == {"validation", "test"}
    assert {"accuracy", "f1", "precision_weighted", "matthews"} <= set(scores["test"])
    assert (results / "model" / "model.safetensors").is_file()
    assert (results / "onnx" / "model.onnx").is_file()
    assert len((results / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()) == 32
    assert "accuracy" in (results / "README.md").read_text(encoding="utf-8")
    again = cli("run", "sentiment", *quick(reviews, tiny_model))
    assert "making" not in again.stdout
