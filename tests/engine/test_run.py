"""What is said before, during and after a run: plan, why, --until, --force, and the reasons."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest

from pipeline.differences import differences
from tests.engine.conftest import Recipe, refused, well


def test_a_run_tells_each_step_and_where_everything_is(toy: Recipe) -> None:
    lines = well(toy.call("run")).stdout.splitlines()
    assert lines[0] == "write   making: new"
    assert re.fullmatch(r"write   [0-9a-f]{8}  made in \d+\.\d s", lines[1])
    assert lines[-2] == f"{toy.results}: count.json, report/, run.json, text.txt"
    assert re.fullmatch(r"toy is up to date \(\d+\.\d s\)", lines[-1])
    again = well(toy.call("run")).stdout.splitlines()
    assert [line.split()[0] for line in again[:4]] == ["write", "double", "count", "report"]
    assert all(line.endswith("  found") for line in again[:4])


def test_the_plan_of_a_first_run_names_what_waits_for_what(toy: Recipe) -> None:
    assert toy.planned() == {
        "write": "to be made: new",
        "double": "waits for write",
        "count": "waits for double",
        "report": "waits for double, count",
    }


def test_planning_makes_nothing(toy: Recipe) -> None:
    toy.planned()
    assert not toy.results.exists()
    assert toy.run().keys() == {"write", "double", "count", "report"}


def test_the_plan_after_a_run_finds_everything(made: Recipe) -> None:
    assert all(re.fullmatch(r"[0-9a-f]{8}  found", text) for text in made.planned().values())


def test_the_plan_names_the_change_as_the_run_does(made: Recipe) -> None:
    planned = made.planned("doubling.times=4")
    assert planned["write"].endswith("found")
    assert planned["double"] == "to be made: times: 2 → 4"
    assert planned["count"] == "waits for double"


def test_a_reason_compares_with_the_last_run_not_with_the_newest_result(made: Recipe) -> None:
    made.run("writing.text=b")
    made.run()
    assert made.planned("writing.text=c")["write"] == "to be made: text: a → c"


def test_what_another_recipe_made_is_nothing_to_compare_with(made: Recipe) -> None:
    other = Recipe(made.file.with_name("other.py"), made.home, made.cli)
    shutil.copyfile(made.file, other.file)
    assert other.planned("writing.text=c")["write"] == "to be made: new"
    assert other.planned()["write"].endswith("found")


def test_a_deleted_result_is_no_longer_there(made: Recipe) -> None:
    well(made.call("run", "writing.text=b"))
    old = next(e for e in (made.store / "write").iterdir() if '"text": "b"' in (e / "record.json").read_text("utf-8"))
    old.rename(made.home / "taken")
    assert made.planned("writing.text=b")["write"] == "to be made: text: a → b"
    (made.home / "taken").rename(old)
    assert made.planned("writing.text=b")["write"].endswith("found")


def test_force_makes_a_step_again(made: Recipe) -> None:
    assert made.run("--force", "double") == {"double": "forced"}
    assert made.run("--force", "double", "--force", "write") == {"write": "forced", "double": "forced"}
    assert made.run() == {}


def test_until_stops_after_a_step_and_leaves_the_results_alone(toy: Recipe) -> None:
    done = well(toy.call("run", "--until", "double"))
    assert "count" not in done.stdout
    assert f"double is in {toy.entry('double') / 'files'}\n" in done.stdout
    assert not toy.results.exists()
    assert toy.records()[-1]["finished"] is False
    assert toy.run().keys() == {"count", "report"}


def test_until_leaves_earlier_results_as_they_are(made: Recipe) -> None:
    before = (made.results / "text.txt").read_bytes()
    made.run("writing.text=b", "--until", "write")
    assert (made.results / "text.txt").read_bytes() == before


def test_options_may_stand_before_settings(toy: Recipe) -> None:
    assert toy.run("--until", "write", "writing.text=b").keys() == {"write"}
    assert toy.run("--until", "double", "writing.text=b", "--force", "write", "doubling.times=3").keys() == {
        "write",
        "double",
    }


@pytest.mark.parametrize("option", ["--until", "--force"])
def test_an_unknown_step_is_refused_with_the_nearest(toy: Recipe, option: str) -> None:
    refused(toy.call("run", option, "dubble"), "no step 'dubble'; did you mean 'double'?")
    refused(toy.call("run", option, "zzz"), "no step 'zzz'; there are write, double, count, report")
    assert not (toy.store / "write").exists()


def test_why_prints_all_that_a_step_depends_on(made: Recipe) -> None:
    done = well(made.call("why", "double"))
    first, _, rest = done.stdout.partition("\n")
    assert first == "double: found"
    depends = json.loads(rest)
    assert depends["settings"] == {"is": "Doubling", "times": 2}
    assert depends["inputs"].keys() == {"written"}
    assert {"toy:double", "words:repeated", "toy:Doubling", "pipeline.artifacts:Artifact"} <= depends["code"].keys()
    assert "words:counted" not in depends["code"]


def test_why_names_what_has_changed_since(made: Recipe) -> None:
    lines = well(made.call("why", "double", "doubling.times=5")).stdout.splitlines()
    assert lines[:2] == ["double: times: 2 → 5", "  since the last result: times: 2 → 5"]


def test_why_tells_what_is_known_of_a_step_whose_inputs_are_to_be_made(toy: Recipe) -> None:
    told = well(toy.call("why", "count")).stdout
    assert told.startswith("count: its inputs have to be made first\n{")
    assert '"inputs": "to be made first"' in told


def test_why_refuses_an_unknown_step(toy: Recipe) -> None:
    refused(toy.call("why", "counts"), "no step 'counts'; did you mean 'count'?")


def test_show_marks_what_was_changed_and_explains_everything(toy: Recipe) -> None:
    lines = well(toy.call("show", "doubling.times=3", "writing.workers=2")).stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["writing.workers=2", "doubling.times=3"]
    assert [line.rstrip() for line in lines if "unit" in line] == [f"{'  counting.unit=lines':44} what to count"]
    assert len([line for line in lines if "=" in line]) == 5
    assert lines[1].startswith(" " * 45)  # what a setting means stands on a line of its own behind a long one


def test_show_reads_a_settings_file(toy: Recipe) -> None:
    (toy.home / "mine.toml").write_text('[writing]\ntext = "z"\n', encoding="utf-8")
    assert "* writing.text=z " in well(toy.call("show", "--settings", toy.home / "mine.toml")).stdout
    assert toy.run("--settings", toy.home / "mine.toml").keys() == {"write", "double", "count", "report"}
    assert toy.planned("writing.text=z")["write"].endswith("found")


DEPENDS: dict[str, Any] = {
    "settings": {"is": "S", "rate": 0.1, "deep": {"is": "D", "size": 1}, "items": [1, 2], "file": {"is": "content", "digest": "a"}},
    "inputs": {"data": "d1"},
    "code": {"m:f": "1", "m:g": "2"},
    "libraries": {"torch": "2.1"},
    "python": "3.11",
    "stage": "s",
    "scheme": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("settings", {"rate": 0.2}, "rate: 0.1 → 0.2"),
        ("settings", {"rate": None}, "rate: 0.1 → none"),
        ("settings", {"deep": {"is": "D", "size": 2}}, "deep.size: 1 → 2"),
        ("settings", {"deep": {"is": "D", "size": 1.0}}, "deep.size: 1 → 1.0"),
        ("settings", {"deep": {"is": "D", "size": True}}, "deep.size: 1 → True"),
        ("settings", {"items": [1, 3]}, "items: 1,2 → 1,3"),
        ("settings", {"file": {"is": "content", "digest": "b"}}, "file: other content"),
        ("settings", {"new": 1}, "new: none → 1"),
        ("settings", {"rate": "x" * 60}, "rate: 0.1 → xxxxxxxxxxxx…xxxxxxxxxxxx"),
        ("inputs", {"data": "d2"}, "data is different"),
        ("code", {"m:f": "9"}, "code of m:f changed"),
        ("code", {"m:h": "3"}, "code of m:h is new"),
        ("libraries", {"torch": "2.2"}, "torch: 2.1 → 2.2"),
    ],
)
def test_a_difference_is_said_in_words(part: str, change: dict[str, Any], said: str) -> None:
    assert differences(DEPENDS, {**DEPENDS, part: {**DEPENDS[part], **change}}) == [said]


@pytest.mark.parametrize(("part", "said"), [("python", "python: 3.11 → 4"), ("stage", "stage: s → 4"), ("scheme", "scheme: 1 → 4")])  # fmt: skip
def test_a_difference_of_the_whole_is_said_in_words(part: str, said: str) -> None:
    assert differences(DEPENDS, {**DEPENDS, part: "4"}) == [said]


def test_code_that_is_gone_is_said_in_words() -> None:
    assert differences(DEPENDS, {**DEPENDS, "code": {"m:f": "1"}}) == ["code of m:g is gone"]


def test_another_stage_of_the_same_name_is_named_and_its_code_is_not_listed() -> None:
    before = {**DEPENDS, "stage": "run", "code": {"one.place:run": "1", "one.place:helper": "2"}}
    after = {**before, "code": {"other.place:run": "3"}, "libraries": {"numpy": "9"}}
    assert differences(before, after) == ["one.place → other.place"]


def test_code_among_settings_is_said_by_its_name() -> None:
    one, two = ({"formats": [{"is": "code", "name": name}]} for name in ("Onnx", "LiteRT"))
    assert differences({"settings": one}, {"settings": two}) == ["formats: Onnx → LiteRT"]


def test_many_changes_are_counted(made: Recipe) -> None:
    made.edit("class Writing:", "class Writing:\n    b: int = 1\n    c: int = 2\n    d: int = 3\n")
    assert made.planned("writing.text=e")["write"] == "to be made: b: none → 1, c: none → 2 and 3 more changes"
