"""What is pushed is loaded back by those who use it: transformers and datasets, byte for byte, private, and offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import review_rows, write_csv
from tests.hub.conftest import TOKEN, Client
from tests.hub.people import person
from tests.hub.server import Hub

PUSH = """
hub.create_repo("me/thing", repo_type=KIND, private=True)
hub.upload_folder(repo_id="me/thing", repo_type=KIND, folder_path=FOLDER)
"""

MODEL = """
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained("me/thing", revision=REVISION)
tokenizer = AutoTokenizer.from_pretrained("me/thing", revision=REVISION)
model.save_pretrained(here / "back")
print(len(tokenizer), (here / "back" / "model.safetensors").read_bytes() == Path(FOLDER, "model.safetensors").read_bytes())
"""

DATASET = """
from datasets import load_dataset
found = load_dataset("me/thing", revision=REVISION)
print({split: list(zip(rows["text"], rows["label"])) for split, rows in found.items()})
"""


def filled(script: str, **values: object) -> str:
    for name, value in values.items():
        script = script.replace(name, repr(value))
    return script


@pytest.mark.slow
def test_a_model_comes_back_through_transformers(client: Client, hub: Hub, tiny_model: Path) -> None:
    client(filled(PUSH, KIND="model", FOLDER=str(tiny_model)))
    repo = hub.repos["me/thing"]
    first = repo.branches["main"]
    assert repo.files()["model.safetensors"] == (tiny_model / "model.safetensors").read_bytes()
    script = filled(MODEL, FOLDER=str(tiny_model), REVISION=first)
    size, same = client(script).split()
    assert int(size) > 50 and same == "True"
    asked = len(hub.asked)
    assert client(script, HF_HUB_OFFLINE="1").split() == [size, same]
    assert len(hub.asked) == asked


@pytest.mark.slow
def test_a_dataset_comes_back_through_datasets(client: Client, hub: Hub, tmp_path: Path) -> None:
    splits = {"train": review_rows(40), "test": review_rows(10, 2)}
    for split, rows in splits.items():
        write_csv(tmp_path / "data" / f"{split}.csv", rows)
    client(filled(PUSH, KIND="dataset", FOLDER=str(tmp_path / "data")))
    found = client(filled(DATASET, REVISION=hub.repos["datasets/me/thing"].branches["main"]))
    assert eval(found) == splits


@pytest.mark.slow
def test_neither_is_there_for_somebody_else(client: Client, hub: Hub, tiny_model: Path) -> None:
    client(filled(PUSH, KIND="model", FOLDER=str(tiny_model)))
    hub.people["hf_else"] = person(name="else")
    script = f"""
try:
{filled(MODEL, FOLDER=str(tiny_model), REVISION="main").replace(chr(10), chr(10) + "    ")}
except OSError as error:
    print("not a valid model identifier" in str(error))
"""
    for token in ("hf_else", ""):
        assert client(script, token=token) == "True\n"
    assert TOKEN not in hub.asked
