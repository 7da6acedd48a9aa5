"""Making room without taking what a recipe stands on."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Background, Recipe, refused, until, well


def entries(recipe: Recipe) -> dict[str, int]:
    return {stage: len(list((recipe.store / stage).iterdir())) for stage in ("write", "double", "count", "report")}


def texts(recipe: Recipe) -> set[str]:
    return {file.read_text(encoding="utf-8")[0] for file in recipe.store.glob("write/*/files/text.txt")}


def clean(recipe: Recipe, *arguments: str) -> str:
    return well(recipe.cli("clean", *arguments)).stdout


def test_cleaning_keeps_what_the_last_run_needs(used: Recipe) -> None:
    said = clean(used)
    assert entries(used) == {"write": 1, "double": 1, "count": 1, "report": 1}
    assert texts(used) == {"a"}
    assert used.run() == {}
    assert said.splitlines()[-1] == "0.0 MB freed"
    assert sum(line.startswith("write/") for line in said.splitlines()) == 2


def test_keep_keeps_the_last_whole_runs(used: Recipe) -> None:
    clean(used, "--keep", "2")
    assert texts(used) == {"a", "y"}
    assert used.planned("writing.text=y")["report"].endswith("found")


def test_a_dry_run_only_says_what_would_go(used: Recipe) -> None:
    (used.store / ".scratch" / "abc").mkdir(parents=True)
    said = clean(used, "--dry-run")
    assert said.splitlines()[-1] == "0.0 MB would be freed"
    assert entries(used)["write"] == 3
    assert (used.store / ".scratch" / "abc").exists()
    clean(used)
    assert not (used.store / ".scratch" / "abc").exists()


def test_cleaning_to_a_size_takes_the_oldest_first(used: Recipe) -> None:
    total = sum(file.stat().st_size for file in used.store.glob("*/*/files/**/*") if file.is_file())
    clean(used, "--size", "1GB")
    assert texts(used) == {"a", "x", "y"}
    clean(used, "--size", str(total - 1))
    assert texts(used) == {"a", "y"}
    clean(used, "--size", "0")
    assert texts(used) == {"a"}


def test_a_size_is_a_number_with_or_without_a_unit(used: Recipe) -> None:
    for size in ("1MB", "1.5 gb", "2TB", "100kb", "100000"):
        clean(used, "--size", size)
    assert texts(used) == {"a", "x", "y"}


def test_a_size_may_be_given_in_bytes(used: Recipe) -> None:
    clean(used, "--size", "100000B")
    assert texts(used) == {"a", "x", "y"}


@pytest.mark.parametrize("size", ["much", "5XB", "-1GB", "GB", "1,5GB", ""])
def test_a_size_that_is_none_is_refused(used: Recipe, size: str) -> None:
    refused(used.cli("clean", f"--size={size}"), f"--size {size}: expected a number with a unit, such as 5GB or 500MB")
    assert entries(used)["write"] == 3


def test_the_last_run_always_stays(used: Recipe) -> None:
    refused(used.cli("clean", "--keep", "0"), "--keep 0: the last run of each recipe always stays; 1 is the least")


def test_entry_and_files_go_together(used: Recipe) -> None:
    clean(used)
    assert all(
        (entry / "record.json").exists() and (entry / "files").exists() for entry in used.store.glob("[!.r]*/*/")
    )
    assert list((used.store / ".scratch").iterdir()) == []


def test_results_outlive_cleaning(used: Recipe) -> None:
    before = (used.results / "text.txt").read_bytes()
    clean(used)
    assert (used.results / "text.txt").read_bytes() == before


def test_each_recipe_keeps_its_last_run(used: Recipe, trouble: Recipe) -> None:
    trouble.run()
    used.run("writing.text=x")
    clean(used)
    assert trouble.run() == {}
    assert used.run("writing.text=x") == {}
    assert texts(used) == {"x", "a"}  # "a" is what the recipe that this one is a copy of ran last


def test_what_a_run_that_failed_had_finished_stays(trouble: Recipe) -> None:
    trouble.run()
    assert trouble.call("run", "word=iron", TROUBLE="raise").returncode == 1
    clean(trouble)
    assert trouble.run("word=iron").keys() == {"smelt", "cast"}
    assert trouble.run() == {}


def test_a_run_that_stopped_early_does_not_count_as_the_last(used: Recipe) -> None:
    used.run("writing.text=x", "--until", "write")
    clean(used)
    assert texts(used) == {"a", "x"}
    assert used.run() == {}


def test_cleaning_an_empty_store_frees_nothing(toy: Recipe) -> None:
    assert clean(toy) == "0.0 MB freed\n"


def test_cleaning_waits_for_a_run_and_leaves_it_what_it_needs(trouble: Recipe, background: Background) -> None:
    run = background.into_the_stage("run", trouble.file, "word=iron")
    cleaning = background.start("clean")
    assert until(cleaning.stdout.readline).startswith(f"waiting for process {run.pid} on ")
    assert (trouble.store / "mine").exists()
    background.let_go()
    assert run.communicate(timeout=20)[1] == ""
    assert cleaning.communicate(timeout=20)[0] == "0.0 MB freed\n"
    assert (run.returncode, cleaning.returncode) == (0, 0)
    assert trouble.run("word=iron") == {}


def test_a_run_waits_for_cleaning(trouble: Recipe, background: Background) -> None:
    background.into_the_stage("run", trouble.file, "word=iron")
    cleaning = background.start("clean")
    until(cleaning.stdout.readline)
    late = background.start("run", trouble.file, "word=gold")
    said = until(late.stdout.readline)
    assert said.startswith(f"waiting for process {cleaning.pid} on ")
    assert said.endswith("which is starting or cleaning\n")
    background.let_go()
    assert late.communicate(timeout=20)[1] == ""
    assert late.returncode == 0


def test_cleaning_leaves_no_locks_of_runs_that_are_over(used: Recipe) -> None:
    clean(used)
    assert [file.name for file in (used.store / ".locks").glob("run-*")] == []
