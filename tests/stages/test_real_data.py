"""Public datasets as they are: every row, every repeat and every leak that their own pages state."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipeline.fields import sought
from pipeline.tasks import Task
from pipeline.tasks.classification import PairClassification
from pipeline.tasks.multilabel import MultiLabel
from pipeline.tasks.questions import QuestionAnswering
from pipeline.tasks.regression import PairRegression
from pipeline.tasks.roles import RoleLabelling
from pipeline.tasks.tagging import Tagging
from recipes import paraphrase
from tests.conftest import DATA, read_json
from tests.stages.conftest import Gather

NAMES = ("rotten_tomatoes", "trec6", "ag_news", "sms_spam", "sst2_sentences", "chnsenticorp")

# The pages count each shared text once, where rows of the later split are counted here.
SHARED_ROWS = {
    "trec6": {"train and test": 10, "validation and test": 1},
    "sst2_sentences": {"train and test": 2},
    "chnsenticorp": {"train and validation": 338, "train and test": 331, "validation and test": 40},
}
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real datasets (../shared/data) are not here")


@cache
def stated(name: str) -> dict[str, Any]:
    """What a dataset's README says: rows, repeats and labels of each split, and texts in two splits."""
    page = (DATA / name / "README.md").read_text(encoding="utf-8")
    splits = {}
    for split, rows, empty, repeats, labels in re.findall(
        r"^\| (\w+) \| \w+\.csv \| ([\d,]+) \| (\d+) \| (\d+) \| (.+) \|$", page, re.MULTILINE
    ):
        counts = dict(entry.rsplit(" ", 1) for entry in labels.split(", "))
        splits[split] = {"rows": rows, "empty": empty, "repeated": repeats, "per_label": counts}
    overlaps = dict(re.findall(r"(\w+/\w+) (\d+)", page[page.index("Inputs found in two splits") :].partition("\n")[0]))
    return {"splits": splits, "shared": {pair: int(count) for pair, count in overlaps.items()}}


@pytest.mark.parametrize("name", NAMES)
def test_a_real_dataset_is_collected_as_its_page_describes_it(gather: Gather, name: str) -> None:
    corpus = gather(DATA / name)
    report = corpus.read("data.json")
    assert corpus.read("labels.json") == report["labels"]
    for split, facts in stated(name)["splits"].items():
        found = report["splits"][split]
        assert f"{found['rows']:,}" == facts["rows"]
        assert found["repeated"] == int(facts["repeated"])
        assert {label: str(count) for label, count in found["per_label"].items()} == facts["per_label"]
        assert corpus.table(split).num_rows == found["rows"]
    assert report["empty"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_leaks_between_splits_are_found_in_the_number_that_is_known(gather: Gather, name: str) -> None:
    shared = gather(DATA / name).read("data.json")["shared"]
    assert shared == SHARED_ROWS.get(name, {})
    known = {pair.replace("/", " and "): count for pair, count in stated(name)["shared"].items() if count}
    assert shared.keys() == known.keys()
    assert all(abs(shared[pair] - count) <= 3 for pair, count in known.items())


def test_dropping_repeats_leaves_a_train_split_without_leaks(gather: Gather) -> None:
    report = gather(DATA / "chnsenticorp", duplicates="drop").read("data.json")
    assert report["splits"]["train"]["repeated"] == 0
    assert set(report["shared"]) == {"validation and test"}
    assert report["splits"]["test"]["rows"] == 1200


def test_a_real_file_in_chinese_encoding_gives_the_same_corpus(gather: Gather, tmp_path: Path) -> None:
    for split in ("train", "validation"):
        text = (DATA / "chnsenticorp" / f"{split}.csv").read_text(encoding="utf-8")
        (tmp_path / f"{split}.csv").write_bytes(text.encode("gb18030"))
        plain = tmp_path / "plain" / f"{split}.csv"
        plain.parent.mkdir(exist_ok=True)
        plain.write_bytes(text.encode())
    expected, found = gather(tmp_path / "plain"), gather(tmp_path)
    for split in expected.splits():
        assert found.table(split).equals(expected.table(split))


def test_a_single_real_file_is_dealt_without_leaks(gather: Gather) -> None:
    report = gather(DATA / "chnsenticorp" / "train.csv").read("data.json")
    assert report["shared"] == {}
    sizes = [report["splits"][split]["rows"] for split in ("train", "validation", "test")]
    assert sum(sizes) == 9600 and abs(sizes[1] - 960) < 20 and abs(sizes[2] - 960) < 20


TASKS: dict[str, Task] = {
    "goemotions": MultiLabel(),
    "mrpc": PairClassification(),
    "afqmc": PairClassification(),
    "stsb": PairRegression(),
    "cmrc2018_zh": QuestionAnswering(language="zh"),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_real_dataset_of_another_task_is_collected_as_its_page_describes_it(gather: Gather, name: str) -> None:
    corpus = gather(DATA / name, TASKS[name])
    report = corpus.read("data.json")
    page = (DATA / name / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\w+) \| \w+\.\w+ \| ([\d,]+) \| (\d+) \| (\d+) \|", page, re.MULTILINE)
    assert [(split, f"{facts['rows']:,}", str(facts["repeated"])) for split, facts in report["splits"].items()] == [
        (split, rows, repeated) for split, rows, _, repeated in found
    ]
    if (labels := DATA / name / "labels.json").is_file():
        assert corpus.read("labels.json") == read_json(labels)


@pytest.mark.parametrize(("name", "found"), [("mrpc", "equivalent"), ("afqmc", "same")])
def test_the_recipe_for_paraphrases_knows_the_label_to_find(gather: Gather, name: str, found: str) -> None:
    task = paraphrase.Config().task
    assert sought(gather(DATA / name, task).read("labels.json"), task.positive) == found


def test_real_tags_keep_the_numbers_of_their_file(gather: Gather) -> None:
    corpus = gather(DATA / "conll2003_en", Tagging())
    assert corpus.read("labels.json") == read_json(DATA / "conll2003_en" / "labels.json")
    with (DATA / "conll2003_en" / "test.jsonl").open(encoding="utf-8") as stream:
        written = [json.loads(line)["ner_tags"] for line in stream]
    assert corpus.table("test")["label"].to_pylist() == written


def test_real_frames_are_an_example_each(gather: Gather) -> None:
    report = gather(DATA / "propbank_ewt_srl", RoleLabelling()).read("data.json")
    assert [facts["rows"] for facts in report["splits"].values()] == [18_058, 4_956, 4_791]
