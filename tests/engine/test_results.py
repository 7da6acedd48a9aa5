"""``results/<recipe>/`` shows the last whole run, and leaves alone what is the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import read_json
from tests.engine.conftest import Recipe, well

SHOWN = {"text.txt", "count.json", "report/count.txt", "run.json"}


@pytest.fixture
def made(toy: Recipe) -> Recipe:
    """The toy after a run of its own, for its results are links into its own store."""
    toy.run()
    return toy


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_results_hold_what_the_artifacts_show(made: Recipe) -> None:
    assert files(made.results) == SHOWN
    assert (made.results / "count.json").read_text(encoding="utf-8") == "6\n"
    listed = read_json(made.results / "run.json")
    assert set(listed["files"]) == SHOWN - {"run.json"}
    assert listed["steps"].keys() == {"write", "double", "count", "report"}


def test_results_are_links_into_the_store(made: Recipe) -> None:
    assert (made.results / "count.json").samefile(made.entry("count") / "files" / "count.json")


def test_of_two_steps_that_show_one_name_the_later_is_shown(made: Recipe) -> None:
    assert (made.results / "text.txt").samefile(made.entry("double") / "files" / "text.txt")


def test_another_run_shows_other_results_and_going_back_the_old_ones(made: Recipe) -> None:
    made.run("doubling.times=3")
    assert (made.results / "count.json").read_text(encoding="utf-8") == "9\n"
    made.run()
    assert (made.results / "count.json").read_text(encoding="utf-8") == "6\n"


def test_files_of_the_users_own_are_left_alone(made: Recipe) -> None:
    (made.results / "notes.txt").write_text("mine", encoding="utf-8")
    (made.results / "report" / "notes.txt").write_text("mine", encoding="utf-8")
    made.run("doubling.times=3")
    assert files(made.results) == SHOWN | {"notes.txt", "report/notes.txt"}


def test_files_that_are_no_longer_made_go(made: Recipe) -> None:
    made.edit('"report" / "count.txt")', '"report" / "number.txt")')
    made.run()
    assert files(made.results) == SHOWN - {"report/count.txt"} | {"report/number.txt"}


def test_folders_that_hold_nothing_more_go(made: Recipe) -> None:
    made.edit('    shown = ("report",)', "    shown = ()")
    made.run()
    assert not (made.results / "report").exists()
    made.edit("    shown = ()", '    shown = ("report",)')
    made.run()
    assert files(made.results) == SHOWN


@pytest.mark.parametrize("name", ["count.json", "report/count.txt", "run.json"])
def test_a_deleted_file_is_restored(made: Recipe, name: str) -> None:
    (made.results / name).unlink()
    assert made.run() == {}
    assert files(made.results) == SHOWN


def test_a_file_replaced_by_another_is_restored(made: Recipe) -> None:
    (made.results / "count.json").unlink()
    (made.results / "count.json").write_text("7\n", encoding="utf-8")
    assert made.run() == {}
    assert (made.results / "count.json").read_text(encoding="utf-8") == "6\n"


def test_a_file_overwritten_in_place_is_made_again(made: Recipe) -> None:
    file = made.results / "count.json"
    file.chmod(0o644)
    file.write_text("7\n", encoding="utf-8")
    assert made.run() == {"count": "damaged: the content of count.json is not what was recorded"}
    assert file.read_text(encoding="utf-8") == "6\n"


def test_a_deleted_folder_of_results_is_restored(made: Recipe) -> None:
    made.results.rename(made.home / "kept")
    assert made.run() == {}
    assert files(made.results) == SHOWN


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_list_of_results_is_written_anew(made: Recipe, text: str) -> None:
    (made.results / "run.json").write_text(text, encoding="utf-8")
    made.run()
    assert set(read_json(made.results / "run.json")["files"]) == SHOWN - {"run.json"}


def test_nothing_is_written_where_nothing_changed(made: Recipe) -> None:
    before = {file: (made.results / file).stat().st_mtime_ns for file in SHOWN}
    made.run()
    assert {file: (made.results / file).stat().st_mtime_ns for file in SHOWN} == before


def test_laying_out_results_does_not_make_the_store_look_changed(made: Recipe) -> None:
    made.run("doubling.times=3")
    made.run()
    assert made.run("--verify") == {}


def test_a_recipe_that_shows_nothing_can_be_run(trouble: Recipe) -> None:
    trouble.edit('    shown = ("piece.txt",)\n', "")
    well(trouble.call("run"))
    assert trouble.run() == {}


def test_a_file_may_become_a_folder_and_a_folder_a_file(made: Recipe) -> None:
    made.edit('    (out / "report").mkdir()\n    (out / "report" / "count.txt")', '    (out / "report")')
    made.run()
    assert (made.results / "report").read_text(encoding="utf-8") == "6 of them\n"
    made.edit('    (out / "report")', '    (out / "report").mkdir()\n    (out / "report" / "count.txt")')
    made.run()
    assert files(made.results) == SHOWN


def test_scores_are_summed_up_at_the_end(trouble: Recipe) -> None:
    trouble.edit('    shown = ("piece.txt",)', '    shown = ("scores.json",)')
    trouble.edit('    return _piece(out, f"cast', "    import json\n\n    (out / 'scores.json').write_text("
                 "json.dumps({'test': {'accuracy': 0.51239, 'rows': 7}}))\n    return _piece(out, f\"cast")  # fmt: skip
    assert "\ntest: accuracy 0.5124" in well(trouble.call("run")).stdout
