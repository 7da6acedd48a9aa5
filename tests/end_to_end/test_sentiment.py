"""The sentiment recipe through the real command line, on a small real model."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, quick, read_json, surroundings, write_csv

pytestmark = pytest.mark.slow
STEPS = ["fetch", "collect", "tokenize", "finetune", "predict", "evaluate", "export", "card"]


def made(text: str) -> list[str]:
    """The steps that a run says it made."""
    return [line.split()[0] for line in text.splitlines() if "  made in " in line]


def test_one_command_leaves_a_model_scores_predictions_and_a_card(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    done = cli("run", "sentiment", *quick(reviews, tiny_model))
    assert done.returncode == 0, done.stderr
    assert made(done.stdout) == STEPS
    results = home / "results" / "sentiment"
    scores = read_json(results / "scores.json")
    assert set(scores) == {"validation", "test"}
    assert {"accuracy", "f1", "precision_weighted", "matthews"} <= set(scores["test"])
    assert (results / "model" / "model.safetensors").is_file()
    assert (results / "onnx" / "model.onnx").is_file()
    assert len((results / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()) == 32
    assert "accuracy" in (results / "README.md").read_text(encoding="utf-8")
    assert not done.stderr.strip(), "frameworks must be quiet"


def test_changes_remake_what_they_touch_and_going_back_finds_everything(
    cli: Cli, checkout: Path, reviews: Path, tiny_model: Path
) -> None:
    settings = quick(reviews, tiny_model, "export.formats=safetensors")

    def run(*more: str) -> list[str]:
        done = cli("run", "sentiment", *settings, *more, cwd=checkout)
        assert done.returncode == 0, done.stderr
        return made(done.stdout)

    assert run() == STEPS
    assert run() == []
    edit(checkout / "pipeline/metrics/classification.py", "zero_division=0.0", "zero_division=1.0")
    assert run() in (["evaluate"], ["evaluate", "card"])  # the card only if a number came out otherwise
    edit(checkout / "pipeline/tasks/classification.py", "round(share, 6)", "round(share, 5)")  # of decode
    assert run() == ["evaluate", "card"]
    edit(checkout / "pipeline/tasks/classification.py", "found[name], 6)", "found[name], 4)")  # of judge
    assert run() == ["evaluate", "card"]
    edit(checkout / "pipeline/tasks/multilabel.py", "1 / (1 +", "2 / (2 +")
    assert run() == []
    edit(checkout / "pipeline/backends/pytorch/predict.py", "in full precision;", "in full precision, once;")
    edit(checkout / "pipeline/backends/pytorch/predict.py", 'f"predicting {split}"', 'f"running {split}"')
    assert run() == ["predict"]
    edit(checkout / "pipeline/console.py", "EVERY = 10.0", "EVERY = 20.0  # seconds")
    assert run() == []
    assert run("training.checkpoint_seconds=7", "prediction.batch_size=3") == []
    assert run("training.epochs=1") == ["finetune", "predict", "evaluate", "export", "card"]
    assert run() == []
    write_csv(reviews / "test.csv", [("the film was lovely", "positive"), ("the soup was dull", "negative")])
    assert run()[:2] == ["collect", "tokenize"]
    assert "finetune" in run("training.seed=3")
    for file in reviews.glob("*.csv"):
        edit(file, "text,label", "review,stars")
    assert run("training.seed=3", "task.text=review", "task.label=stars") == ["collect", "card"]  # it names columns


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_killed_in_every_stage_the_same_command_goes_on_to_the_same_result(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "training.checkpoint_seconds=0")
    for step in STEPS:
        kill_in(step, home, settings)
    last = cli("run", "sentiment", *settings)
    assert last.returncode == 0, last.stderr
    assert made(last.stdout) == ["card"]
    whole = cli("run", "sentiment", *settings, PIPELINE_HOME=str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    for name in ("scores.json", "model/model.safetensors", "predictions/test.jsonl"):
        there = tmp_path / "whole" / "results" / "sentiment" / name
        assert (home / "results" / "sentiment" / name).read_bytes() == there.read_bytes(), name


def kill_in(step: str, home: Path, settings: list[str]) -> None:
    """Start the recipe and kill it as soon as it says that it makes ``step``; for a training, once it has saved."""
    command = [sys.executable, "-u", "-m", "pipeline", "run", "sentiment", *settings]
    with subprocess.Popen(command, cwd=ROOT, env=surroundings(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"{step} ") and " making: " in line:
                break
        if step == "finetune":
            until(lambda: any((home / ".store" / ".scratch").glob("*/files/.resume/checkpoint.safetensors")))
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, f"{step} was never made"


def until(true: object, patience: float = 60.0) -> None:
    begun = time.monotonic()
    while not true():  # type: ignore[operator]
        assert time.monotonic() - begun < patience
        time.sleep(0.002)


def test_a_run_that_finds_everything_imports_no_framework(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path
) -> None:
    settings = quick(reviews, tiny_model, "export.formats=safetensors")
    assert cli("run", "sentiment", *settings).returncode == 0
    script = f"""
import sys
from pipeline.cli import main
code = main(["run", "sentiment", *{settings!r}])
heavy = {{"torch", "tensorflow", "keras", "transformers", "tokenizers", "datasets", "evaluate", "accelerate",
         "numpy", "pandas", "pyarrow", "sklearn", "onnx", "onnxruntime", "huggingface_hub", "rich"}}
print("heavy:", sorted(heavy & set(sys.modules)))
sys.exit(code)
"""
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=surroundings(home), capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "made in" not in found.stdout
    assert found.stdout.splitlines()[-1] == "heavy: []"


def test_one_chinese_file_in_its_national_encoding_goes_all_the_way(
    cli: Cli, home: Path, tiny_model: Path, tmp_path: Path
) -> None:
    rows = [(f"这家店{'很好' if n % 2 else '太差'}，第{n}次来。", "好评" if n % 2 else "差评") for n in range(80)]
    text = "评论,标签\n" + "".join(f"{review},{label}\n" for review, label in rows)
    (tmp_path / "评论.csv").write_bytes(text.encode("gb18030"))
    settings = [*quick(tmp_path / "评论.csv", tiny_model), "task.text=评论", "task.label=标签"]
    done = cli("run", "sentiment", *settings)
    assert done.returncode == 0, done.stderr
    assert set(read_json(home / "results" / "sentiment" / "details.json")["test"]["labels"]) == {"好评", "差评"}
    assert "does not know" in done.stdout, "a tokenizer without Chinese must be called so"
