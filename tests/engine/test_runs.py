"""What each run leaves about itself."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from pipeline import runs
from pipeline.run import Outcome
from pipeline.store import Record
from tests.conftest import read_json
from tests.engine.conftest import Recipe


def test_a_run_records_settings_steps_versions_and_host(toy: Recipe) -> None:
    toy.run("writing.text=b")
    (record,) = toy.records()
    assert record["recipe"] == "toy"
    assert record["settings"]["writing.text"] == "b"
    assert record["finished"] is True
    assert abs(record["started"] - time.time()) < 60
    assert record["steps"].keys() == {"write", "double", "count", "report"}
    assert record["steps"]["write"]["key"] == toy.entry("write").name
    assert record["steps"]["write"]["why"] == "new"
    assert record["versions"]["python"].startswith("3.")
    assert record["host"]["command"] == ["run", str(toy.file), "writing.text=b"]


def test_a_run_that_found_everything_says_so(toy: Recipe) -> None:
    toy.run()
    toy.run()
    steps = toy.records()[-1]["steps"].values()
    assert [(step["why"], step["seconds"]) for step in steps] == [("", 0.0)] * 4


def test_a_damaged_run_record_is_passed_over(toy: Recipe) -> None:
    toy.run()
    for name, text in {"29990101T000000-1-1.json": "{", "29990101T000000-2-1.json": ""}.items():
        (toy.store / "runs" / "toy" / name).write_text(text, encoding="utf-8")
    assert toy.run("doubling.times=3")["double"] == "times: 2 → 3"
    assert toy.cli("clean").returncode == 0


def record(name: str, started: float, key: str, folder: Path, finished: bool = True) -> None:
    """Leave the record of a run that began at a time and made one step, of the same name as its key."""
    made = Record(key, "", {}, 0.0, 0.0, {"stage": "s", "libraries": {}})
    with mock.patch("time.time", return_value=started):
        run = runs.Run(folder, name, f"{name}.py", {})
        run.add(SimpleNamespace(name=key), Outcome(made))  # type: ignore[arg-type]
        if finished:
            run.end()


def test_runs_of_one_second_are_told_apart_in_the_order_they_started(tmp_path: Path) -> None:
    record("toy", 1_000_000_000.1, "first", tmp_path)
    record("toy", 1_000_000_000.95, "second", tmp_path)
    assert [list(each["steps"]) for each in runs.newest_first(tmp_path, "toy")] == [["second"], ["first"]]


def test_the_last_keys_come_from_as_many_runs_as_it_takes(tmp_path: Path) -> None:
    record("toy", 1_000_000_000, "too old", tmp_path)
    record("toy", 1_000_000_010, "whole", tmp_path)
    record("toy", 1_000_000_020, "begun", tmp_path, finished=False)
    assert runs.last_keys(tmp_path, "toy") == {"begun": "begun", "whole": "whole"}


def test_no_more_than_a_hundred_records_are_kept(tmp_path: Path) -> None:
    for number in range(103):
        record("toy", 1_000_000_000 + number, str(number), tmp_path)
    kept = sorted((tmp_path / "toy").iterdir())
    assert len(kept) == 100
    assert list(read_json(kept[0])["steps"]) == ["3"]


def test_a_run_is_recorded_under_its_own_recipe(toy: Recipe, trouble: Recipe) -> None:
    toy.run()
    trouble.run()
    assert [len(each.records()) for each in (toy, trouble)] == [1, 1]


def test_runs_are_in_their_order_though_the_clock_was_put_back(tmp_path: Path) -> None:
    for number, moment in enumerate([1_000_000_000.5, 999_990_000.2, 999_990_000.2, 999_999_999]):
        record("toy", moment, str(number), tmp_path)
    assert [list(each["steps"]) for each in runs.newest_first(tmp_path, "toy")] == [["3"], ["2"], ["1"], ["0"]]
