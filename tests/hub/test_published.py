"""One command from a dataset and a model on the Hub to a model on the Hub, whose card works as it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.conftest import Cli, quick, review_rows, surroundings, write_csv
from tests.hub import cards
from tests.hub.conftest import TOKEN
from tests.hub.server import Hub
from tests.hub.store import Repo

pytestmark = pytest.mark.slow

Online = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def online(cli: Cli, hub: Hub, tmp_path: Path) -> Online:
    """The command line, with ``hub`` for the Hub and somebody logged in."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = cli(*arguments, **{**hub.environment(tmp_path / "hf"), "HF_TOKEN": TOKEN, **environment})
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return call


def assert_token_unseen(done: subprocess.CompletedProcess[str], home: Path) -> None:
    assert TOKEN not in done.stdout + done.stderr
    assert [file for file in home.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()] == []


def examples(hub: Hub) -> tuple[dict[str, object], list[str]]:
    """Head and Python of the card on the Hub."""
    text = hub.repos["me/model"].files()["README.md"].decode()
    assert cards.errors(text) == []
    head: dict[str, object] = yaml.safe_load(text.split("---\n")[1])
    return head, re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def executed(hub: Hub, script: str, tmp_path: Path) -> str:
    """What the Python of the card prints on another machine, with nothing of ours but the Hub."""
    place = tmp_path / "elsewhere"
    place.mkdir(parents=True)
    environment = surroundings(place, **hub.environment(place / "hf"), HF_TOKEN=TOKEN)
    del environment["PIPELINE_HOME"]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=place, env={**environment, "PYTHONPATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_private_dataset_and_a_private_base_become_a_model_that_its_card_loads(
    online: Online, hub: Hub, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    hub.repos["datasets/me/reviews"], hub.repos["me/base"] = Repo(private=True), Repo(private=True)
    data, base = hub.repos["datasets/me/reviews"].push(reviews), hub.repos["me/base"].push(tiny_model)
    settings = quick(
        Path("me/reviews"), Path("me/base"), "card.license=mit", "card.language=en", "publication.repo=me/model"
    )
    done = online("run", "sentiment", *settings)
    repo = hub.repos["me/model"]
    (tag,) = repo.tags
    assert repo.private and f"published: {hub.url}/me/model" in done.stdout and f"tag {tag}" in done.stdout
    results = home / "results" / "sentiment"
    for name, content in repo.files().items():
        if name not in ("README.md", "scores.json") and not name.startswith("onnx/"):
            assert (results / "model" / name).read_bytes() == content, name
    assert repo.files()["onnx/model.onnx"] == (results / "onnx" / "model.onnx").read_bytes()
    assert not [name for name in repo.files() if "predictions" in name or name.endswith((".csv", ".jsonl", ".arrow"))]

    head, (script,) = examples(hub)
    assert (head["base_model"], head["datasets"], head["license"]) == ("me/base", ["me/reviews"], "mit")
    text = repo.files()["README.md"].decode()
    assert f"corpus.revision={data}" in text and f"base.revision={base}" in text
    read_back = f"""
from huggingface_hub import ModelCard
from transformers import AutoModelForSequenceClassification
result = ModelCard.load("me/model").data.eval_results[-1]
print("read", result.dataset_type, result.dataset_revision, result.dataset_split)
print("loaded", AutoModelForSequenceClassification.from_pretrained("me/model", revision="{tag}").config.num_labels)
"""
    said = executed(hub, script + read_back, tmp_path)
    assert "'label': '" in said and "loaded 2" in said
    assert f"read me/reviews {data} test" in said

    assert_token_unseen(done, home)
    asked = len(hub.asked)
    again = online("run", "sentiment", *settings)
    assert "making" not in again.stdout and len(hub.asked) == asked
    forced = online("run", "sentiment", *settings, "--force", "publish")
    assert f"nothing has changed: {hub.url}/me/model" in forced.stdout
    assert len(repo.commits) == 2


def test_a_push_that_fails_at_the_end_loses_nothing_and_shows_no_token(
    cli: Cli, online: Online, hub: Hub, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "publication.repo=me/model", "export.formats=safetensors")
    hub.echo = True
    hub.refuse("/commit/main", 403)
    done = cli("run", "sentiment", *settings, **hub.environment(tmp_path / "hf"), HF_TOKEN=TOKEN)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: publication.repo=me/model: the upload failed (the Hub answers 403: ")
    assert_token_unseen(done, home)
    sent = len(hub.asked_for("^PUT /upload/"))
    again = online("run", "sentiment", *settings)
    assert [each.split()[0] for each in again.stdout.splitlines() if " making: " in each] == ["publish"]
    assert len(hub.asked_for("^PUT /upload/")) == sent == 1
    assert_token_unseen(again, home)


def test_the_card_of_several_labels_finds_its_thresholds_on_the_hub(
    online: Online, hub: Hub, tiny_model: Path, tmp_path: Path
) -> None:
    rows = [(f"the film was {'lovely' if n % 2 else 'dull'} {n}", "joy|ease" if n % 2 else "anger") for n in range(96)]
    write_csv(tmp_path / "moods.csv", rows, ("text", "labels"))
    online(
        "run", "emotions", *quick(tmp_path / "moods.csv", tiny_model, "base.pooling=first", "publication.repo=me/model")
    )
    _, (script,) = examples(hub)
    assert 'hf_hub_download("me/model", "decision.json")' in script
    assert executed(hub, script, tmp_path).startswith("[")


def test_the_card_of_an_adapter_merges_it_with_its_base_from_the_hub(
    online: Online, hub: Hub, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    hub.repos["me/base"] = Repo()
    hub.repos["me/base"].push(tiny_model)
    online(
        "run", "sentiment", *quick(reviews, Path("me/base"), "publication.repo=me/model", "export.formats=safetensors",
        "training.adapter=lora", "publication.weights=adapter"),
    )  # fmt: skip
    head, scripts = examples(hub)
    assert (head["base_model_relation"], head["library_name"]) == ("adapter", "peft")
    assert "'label': '" in executed(hub, "\n".join(scripts), tmp_path)


def test_the_card_of_a_network_trained_from_scratch_runs_its_graph_from_the_hub(
    online: Online, hub: Hub, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "publication.repo=me/model", "base.architecture=cnn")
    online("run", "sentiment", *settings)
    _, (script,) = examples(hub)
    assert executed(hub, script, tmp_path).strip() in ("negative", "positive")


PULLED = f"""
import json
import numpy as np
from transformers import AutoModelForSequenceClassification, AutoTokenizer

inputs = dict(AutoTokenizer.from_pretrained("me/model")({[text for text, _ in review_rows(8)]}, padding=True, return_tensors="np"))
"""

WITH_TRANSFORMERS = f"""{PULLED}
import torch
model = AutoModelForSequenceClassification.from_pretrained("me/model")
with torch.inference_mode():
    print(json.dumps(model(**{{name: torch.from_numpy(values) for name, values in inputs.items()}}).logits.tolist()))
"""

# KerasHub reads what lies below the classifier, and computes GELU by tanh whatever config.json says.
WITH_KERAS_HUB = f"""{PULLED}
import keras, keras_hub
from huggingface_hub import hf_hub_download
from safetensors.numpy import load_file
model = keras_hub.models.BertTextClassifier.from_preset("hf://me/model", num_classes=2, preprocessor=None)
for layer in model.backbone.transformer_layers:
    layer._feedforward_intermediate_dense.activation = lambda values: keras.ops.gelu(values, approximate=False)
weights = load_file(hf_hub_download("me/model", "model.safetensors"))
model.output_dense.set_weights([weights["classifier.weight"].T, weights["classifier.bias"]])
types = inputs.get("token_type_ids", np.zeros_like(inputs["input_ids"]))
given = {{"token_ids": inputs["input_ids"], "segment_ids": types, "padding_mask": inputs["attention_mask"]}}
print(json.dumps(model.predict(given, verbose=0).tolist()))
"""


@pytest.mark.skipif(find_spec("keras_hub") is None, reason="TensorFlow is not installed")
def test_a_model_that_tensorflow_trained_comes_back_through_transformers_and_through_keras_hub(
    online: Online, hub: Hub, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "publication.repo=me/model", "backend=tensorflow", "training.epochs=8")
    online("run", "sentiment", *settings, "export.formats=safetensors")
    ours = json.loads(executed(hub, WITH_TRANSFORMERS, tmp_path / "transformers").splitlines()[-1])
    theirs = json.loads(executed(hub, WITH_KERAS_HUB, tmp_path / "keras").splitlines()[-1])
    assert np.abs(np.subtract(ours, theirs)).max() < 1e-5
    assert np.ptp(ours, axis=0).min() > 1e-2


def test_a_license_that_the_hub_does_not_know_is_refused_before_a_training(
    cli: Cli, hub: Hub, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "publication.repo=me/model", "card.license=my own")
    done = cli("run", "sentiment", *settings, **hub.environment(tmp_path / "hf"), HF_TOKEN=TOKEN)
    assert done.returncode == 2 and '"license" must be one of [' in done.stderr
    assert "making" not in done.stdout and hub.asked_for("repos/create") == []
    assert not (home / "results").exists()
