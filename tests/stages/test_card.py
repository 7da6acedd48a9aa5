"""The card: what the Hub reads of it, what people read, and the command that makes the same again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.artifacts import Bundle, Corpus, Model, Scores, Tokens
from pipeline.backends import Training
from pipeline.config import override
from pipeline.corpora import words
from pipeline.corpora.source import Source
from pipeline.reproduction import command
from pipeline.stages.card import card
from pipeline.stages.facts import CardContent, Description
from pipeline.stages.metadata import known
from pipeline.tasks.classification import Classification
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.roles import RoleLabelling
from pipeline.tasks.tagging import _between_asterisks
from recipes.adapted_sentiment import Config as Adapted
from recipes.sentiment import Config
from tests.hub import cards
from tests.stages.conftest import put

COMMIT = "c" * 40
BASE_CARD = "---\nlicense: apache-2.0\n---\n# A base\n"
RESULTS: dict[str, Any] = {
    "source.json": {"model": "owner/base", "revision": COMMIT},
    "config.json": {"model_type": "bert"},
    "data.json": {
        "labels": ["bad", "good"], "shared": {},
        "splits": {s: {"rows": 30, "per_label": {"bad": 10, "good": 20}} for s in ("train", "validation", "test")},
    },
    "labels.json": ["bad", "good"],
    "tokens.json": {"max_length": 64, "splits": {"train": {"cut": 0, "rows": 30}}},
    "history.json": {"kept_epoch": 2, "parameters": {"trained": 10, "all": 1000}},
    "decision.json": {},
    "scores.json": {s: {"accuracy": 0.9, "f1": 0.8, "baseline_accuracy": 0.5} for s in ("validation", "test")},
    "details.json": {s: {"intervals": {"accuracy": [0.8, 0.95]}} for s in ("validation", "test")},
    "exports.json": {"safetensors": {"megabytes": 1, "rows": 30, "largest_difference": 1e-6, "score": {"accuracy": 0.9}}},
    "adapter/adapter_config.json": {"base_model_name_or_path": "owner/base", "revision": COMMIT},
}  # fmt: skip

Written = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """``written(content, **results)``: head and text of the card of these results, some of them changed."""

    def call(content: CardContent, readme: str = BASE_CARD, **changed: Any) -> tuple[dict[str, Any], str]:
        at = tmp_path / "results"
        for name, value in {**RESULTS, **{f"{name}.json": value for name, value in changed.items()}}.items():
            put(at / name, json.dumps(value))
        put(at / "README.md", readme)
        (tmp_path / "card").mkdir(exist_ok=True)
        made = card(content, tmp_path / "card", base=Model(at), corpus=Corpus(at), tokens=Tokens(at), model=Model(at),
                    scores=Scores(at), bundle=Bundle(at))  # fmt: skip
        text = (made.path / "README.md").read_text(encoding="utf-8")
        assert cards.errors(text) == []
        _, head, body = text.split("---\n", 2)
        return yaml.safe_load(head), body

    return call


def content(**changes: Any) -> CardContent:
    return replace(CardContent(Description(), Classification(), Training()), **changes)


def test_what_the_hub_can_name_is_named(written: Written) -> None:
    described = Description(language="en", data="Letters")
    head, body = written(content(description=described, dataset=("owner/letters", "d" * 40)))
    assert {name: head[name] for name in head if name != "model-index"} == {
        "language": "en", "license": "apache-2.0", "base_model": "owner/base", "base_model_relation": "finetune",
        "datasets": ["owner/letters"], "pipeline_tag": "text-classification", "library_name": "transformers",
        "tags": ["fine-tuned"],
    }  # fmt: skip
    (entry,) = head["model-index"]
    first, second = entry["results"]
    assert first["dataset"] == {"name": "Letters", "type": "owner/letters", "split": "validation", "revision": "d" * 40}
    assert second["dataset"]["split"] == "test" and second["task"] == {"type": "text-classification"}
    assert first["metrics"] == [{"type": "accuracy", "value": 0.9}, {"type": "f1", "value": 0.8}]
    assert f"`owner/base` at commit `{COMMIT}`" in body and "in the language `en`" in body


def test_what_lies_on_this_machine_has_no_name(written: Written) -> None:
    head, body = written(content(), source={"model": "", "revision": ""})
    assert not {"base_model", "base_model_relation", "datasets", "language"} & head.keys()
    assert head["model-index"][0]["results"][0]["dataset"] == {
        "name": "custom",
        "type": "custom",
        "split": "validation",
    }
    assert "Fine-tuned from a local checkpoint" in body


@pytest.mark.parametrize(
    ("readme", "asked", "found"),
    [
        ("---\nlicense: mit\n---\n", "", {"license": "mit"}),
        ("---\nlicense: mit\n---\n", "cc-by-4.0", {"license": "cc-by-4.0"}),
        ("---\nlicense: other\nlicense_name: our-own\nlicense_link: LICENSE\n---\n", "",
         {"license": "other", "license_name": "our-own"}),
        ("---\nlicense: other\nlicense_link: https://example.com/terms\n---\n", "",
         {"license": "other", "license_link": "https://example.com/terms"}),
        ("---\nlicense: other\nlicense_name: our-own\nlicense_link: LICENSE\n---\n", "mit", {"license": "mit"}),
        ("---\nlicense: [mit, other]\n---\n", "", {}), ("---\n: {\n---\n", "", {}), ("no head", "", {}),
    ],
    ids=["the base's", "another", "one of its own", "one elsewhere", "another than one of its own", "several", "no YAML", "none"],
)  # fmt: skip
def test_the_license_is_that_of_the_base_unless_another_is_asked_for(
    written: Written, readme: str, asked: str, found: dict[str, str]
) -> None:
    head, _ = written(content(description=Description(license=asked)), readme)
    assert {name: value for name, value in head.items() if name.startswith("license")} == found


def test_an_adapter_is_called_one(written: Written) -> None:
    training = Training(adapter="lora")
    head, body = written(content(training=training, weights="adapter", repo="me/model"))
    assert (head["base_model_relation"], head["library_name"], head["tags"]) == (
        "adapter",
        "peft",
        ["fine-tuned", "lora"],
    )
    assert 'adapter = "me/model"' in body


def test_a_network_trained_from_scratch_has_no_base(written: Written) -> None:
    exports = {"onnx": {"megabytes": 1, "rows": 30, "largest_difference": 1e-6, "score": {"accuracy": 0.9}}}
    head, body = written(content(repo="me/model"), config={"model_type": "text-cnn", "filters": 8}, exports=exports)
    assert not {"base_model", "base_model_relation"} & head.keys()
    assert (head["library_name"], head["tags"]) == ("onnx", ["fine-tuned", "onnx"])
    assert 'Tokenizer.from_file(hf_hub_download("me/model", "tokenizer.json"))' in body
    assert 'InferenceSession(hf_hub_download("me/model", "onnx/model.onnx"))' in body


def python(body: str) -> str:
    (script,) = re.findall(r"^```python\n(.*?)^```", body, re.DOTALL | re.MULTILINE)
    return str(script)


def test_the_example_names_the_repository_that_is_published_to(written: Written) -> None:
    assert 'model="PATH OR ID OF THIS MODEL"' in python(written(content())[1])
    assert 'model="me/model"' in python(written(content(repo="me/model"))[1])
    several = content(task=MultiLabel())
    assert 'open("PATH OF decision.json")' in python(written(several)[1])
    script = python(written(replace(several, repo="me/model"))[1])
    assert 'open(hf_hub_download("me/model", "decision.json"))' in script
    compile(script, "README.md", "exec")


def test_what_is_known_before_a_training_is_what_the_card_says_after_it(written: Written) -> None:
    described = content(description=Description(language="en", license="mit"), dataset=("owner/letters", "d" * 40))
    before, (after, _) = known(described, "owner/base"), written(described)
    assert {name: after[name] for name in before} == before


def test_the_command_names_what_differs_from_the_recipe() -> None:
    config = override(Config(), [
        "corpus.source=owner/letters", "corpus.revision=" + "d" * 40, "training.epochs=5", "training.dropout=0.1",
        "task.text=a text", "card.data=Letters of '24", "prediction.batch_size=7", "training.checkpoint_seconds=1",
        "publication.repo=me/model", "corpus.labels=a,b",
    ])  # fmt: skip
    assert command(config) == ((
        "sentiment", "corpus.source=owner/letters", "corpus.revision=" + "d" * 40, "corpus.labels=a,b", "task.text=a text",
        "training.epochs=5", "training.dropout=0.1", "card.data=Letters of '24",
    ), {})  # fmt: skip


def test_the_command_of_the_card_gives_the_settings_again(written: Written) -> None:
    config = override(
        Config(), ["corpus.source=owner/letters", "card.data=Letters of '24", "task.text=a text", "base.pooling=mean"]
    )
    again, places = command(config)
    _, body = written(content(command=again, places=places))
    (shown,) = re.findall(r"^```sh\n(.*?)^```", body, re.DOTALL | re.MULTILINE)
    *start, recipe, first = shlex.split(shown.replace("\\\n", " "))[:6]
    assert (start, recipe) == ([".venv/bin/python", "-m", "pipeline", "run"], "sentiment")
    assert override(Config(), [first, *shlex.split(shown.replace("\\\n", " "))[6:]]) == config


def test_the_command_of_a_recipe_as_it_is_names_no_setting() -> None:
    assert command(Config()) == (("sentiment",), {})


def test_paths_of_this_machine_are_names_in_the_command(written: Written, tmp_path: Path, tiny_folder: Path) -> None:
    put(tmp_path / "my.csv", "text,label\na,b\n")
    local = [f"corpus.source={tmp_path / 'my.csv'}", f"base.model={tiny_folder}"]
    again, places = command(override(Config(), local))
    assert again == ("sentiment", "base.model=MODEL", "corpus.source=DATA")
    _, body = written(content(command=again, places=places))
    assert str(tmp_path) not in body
    assert "`DATA` stands for the file or folder that it was trained on." in body
    assert "`MODEL` stands for the folder of the base model." in body
    (tmp_path / "my.csv").rename(tmp_path / "yours.csv")
    moved = [f"corpus.source={tmp_path / 'yours.csv'}", local[1]]
    assert command(override(Config(), moved)) == (again, places)


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    put(tmp_path / "a model" / "config.json", "{}")
    return tmp_path / "a model"


def test_data_of_two_trainings_have_two_names(tmp_path: Path) -> None:
    put(tmp_path / "notes.txt", "x")
    again, places = command(override(Adapted(), [f"adaptation.corpus.source={tmp_path / 'notes.txt'}"]))
    assert again == ("adapted_sentiment", "adaptation.corpus.source=ADAPTATION_DATA")
    assert list(places) == ["ADAPTATION_DATA"]


@dataclass(frozen=True)
class Own:
    """Settings of a recipe in a file of somebody's."""

    words: str = "none"
    place: Path = Path("here")


@dataclass(frozen=True)
class Bare:
    """Settings without defaults."""

    corpus: Source


def test_a_recipe_in_a_file_is_named_by_it_and_its_paths_are_hidden() -> None:
    name = f"{__name__.rpartition('.')[2]}.py"
    assert command(Own("/home/somebody/words", Path("there")))[0] == (name, "words=WORDS", "place=PLACE")
    assert command(Bare(Source("my.csv"))) == ((), {})


@pytest.mark.parametrize("types", [True, False])
def test_the_python_for_roles_marks_the_predicate_as_the_model_learned_it(written: Written, types: bool) -> None:
    inputs = ["input_ids", "attention_mask", *["token_type_ids"] * types]
    _, body = written(content(task=RoleLabelling()), decision={"inputs": inputs})
    sentence = "The cook gave the guests soup."
    bounds = words.split(sentence)
    begins, ends = np.array([begin for begin, _ in bounds]), np.array([end for _, end in bounds])
    marked = sentence if types else _between_asterisks(sentence, begins, ends, 2)[0]
    assert f'text, predicate = "{marked}", "gave"' in body and f"return_token_type_ids={types}" in body


def test_the_table_of_exports_tells_size_score_and_speed(written: Written) -> None:
    speed = {"milliseconds": {"1": 2.5, "32": 40.0}, "rows_per_second": 800.0, "processors": 2}
    found = {"megabytes": 90.1, "rows": 30, "largest_difference": 1e-6, "score": {"accuracy": 0.9}, **speed}
    small = {**found, "megabytes": 22.6, "score": {"accuracy": 0.898}}
    head, body = written(content(), exports={"safetensors": found, "onnx": found, "onnx-int8": small})
    assert "| form | MB | rows compared | logits within | accuracy | ms for 1 | ms for 32 | rows/s |" in body
    assert (
        "| `onnx-int8/model.onnx`, of 8 bits, for ONNX Runtime | 22.6 | 30 | 1.0e-06 | 0.8980 | 2.5 | 40 | 800 |"
        in body
    )
    assert "on 2 CPU cores" in body and head["tags"].count("onnx") == 1
