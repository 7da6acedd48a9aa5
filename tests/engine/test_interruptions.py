"""Whatever ends a run early: nothing half done is taken for done, and nothing done is lost."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from tests.engine.conftest import Background, Recipe, refused, until

MADE = "new"


def end(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    process.send_signal(number)
    return process.communicate(timeout=20)


def smelted(recipe: Recipe) -> str:
    return (recipe.entry("smelt") / "files" / "piece.txt").read_text(encoding="utf-8")


def test_a_run_killed_in_a_stage_is_taken_up_by_the_next(trouble: Recipe, background: Background) -> None:
    end(background.into_the_stage("run", trouble.file), signal.SIGKILL)
    assert not (trouble.store / "smelt").exists()
    assert trouble.run().keys() == {"smelt", "cast"}
    assert {file.name for file in (trouble.entry("smelt") / "files").iterdir()} == {"piece.txt"}


def test_what_a_killed_stage_left_to_resume_from_reaches_the_next_attempt(
    trouble: Recipe, background: Background
) -> None:
    end(background.into_the_stage("run", trouble.file, trouble="resume wait"), signal.SIGKILL)
    assert trouble.run(TROUBLE="resume").keys() == {"smelt", "cast"}
    assert smelted(trouble) == "ore, before=True"
    assert {file.name for file in (trouble.entry("smelt") / "files").iterdir()} == {"piece.txt"}
    assert list((trouble.store / ".scratch").iterdir()) == []


def test_what_was_left_is_only_for_the_very_same_result(trouble: Recipe, background: Background) -> None:
    end(background.into_the_stage("run", trouble.file, trouble="resume wait"), signal.SIGKILL)
    trouble.run("word=iron")
    assert smelted(trouble) == "iron, before=False"
    assert len(list((trouble.store / ".scratch").iterdir())) == 1  # still there to go on from


def test_the_first_attempt_finds_nothing_to_resume_from(trouble: Recipe) -> None:
    trouble.run(TROUBLE="resume")
    assert smelted(trouble) == "ore, before=False"


@pytest.mark.parametrize("delay", [0.04, 0.06, 0.08, 0.1, 0.12, 0.15])
def test_a_run_killed_at_any_instant_leaves_nothing_wrong(toy: Recipe, background: Background, delay: float) -> None:
    process = background.start("run", toy.file)
    time.sleep(delay)
    end(process, signal.SIGKILL)
    toy.run()
    assert (toy.results / "report" / "count.txt").read_text(encoding="utf-8") == "6 of them\n"
    assert toy.run("--verify") == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_keeps_what_was_finished(trouble: Recipe, background: Background, number: int) -> None:
    process = background.into_the_stage("run", trouble.file)
    _, errors = end(process, number)
    assert process.returncode == 130
    assert errors == "error: interrupted; what was finished is kept, the same command goes on from there\n"
    assert list((trouble.store / ".scratch").iterdir()) == []
    (record,) = trouble.records()
    assert record["finished"] is False
    assert record["steps"].keys() == {"mine"}
    assert trouble.run().keys() == {"smelt", "cast"}


def test_an_interrupted_stage_goes_on_from_where_it_was(trouble: Recipe, background: Background) -> None:
    end(background.into_the_stage("run", trouble.file, trouble="resume wait"), signal.SIGINT)
    trouble.run()
    assert smelted(trouble) == "ore, before=True"


def test_a_stage_that_raises_leaves_nothing_behind(trouble: Recipe) -> None:
    done = trouble.call("run", TROUBLE="raise")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("RuntimeError: the furnace is cold")
    assert 'trouble.py", line' in done.stderr
    assert not (trouble.store / "smelt").exists()
    assert list((trouble.store / ".scratch").iterdir()) == []
    assert not trouble.results.exists()
    assert trouble.records()[0]["finished"] is False
    assert trouble.run() == {"smelt": MADE, "cast": MADE}


def test_a_stage_that_raises_can_be_gone_on_with(trouble: Recipe) -> None:
    trouble.call("run", TROUBLE="resume raise")
    trouble.run()
    assert smelted(trouble) == "ore, before=True"


def test_a_full_disk_is_told_in_a_line(trouble: Recipe) -> None:
    done = trouble.call("run", TROUBLE="full")
    refused(
        done, "no space left on the disk (", "slag", "`python -m pipeline clean --dry-run` lists what can go", code=1
    )
    assert len(done.stderr.splitlines()) == 1
    assert trouble.run().keys() == {"smelt", "cast"}


def test_a_stage_may_refuse_what_the_user_gave_it(trouble: Recipe) -> None:
    refused(trouble.call("run", TROUBLE="refuse"), "error: the ore is stone; mine elsewhere")
    assert trouble.run().keys() == {"smelt", "cast"}


def test_a_check_that_fails_is_no_mistake_of_the_user(trouble: Recipe) -> None:
    refused(trouble.call("run", TROUBLE="check"), "error: the metal is brittle", code=1)
    assert not (trouble.store / "smelt").exists()


def test_results_of_an_earlier_run_outlive_one_that_fails(trouble: Recipe) -> None:
    trouble.run()
    assert trouble.call("run", "word=iron", TROUBLE="raise").returncode == 1
    assert (trouble.results / "piece.txt").read_text(encoding="utf-8") == "cast ore, before=False"


def test_two_runs_at_once_make_each_thing_once(trouble: Recipe, background: Background) -> None:
    first = background.into_the_stage("run", trouble.file)
    second = background.start("run", trouble.file)
    told = until(second.stdout.readline)
    while "smelt" not in told:
        told += until(second.stdout.readline)
    background.let_go()
    assert f"smelt  waiting for process {first.pid} on " in told
    assert "which is making it" in told
    one, other = first.communicate(timeout=20), second.communicate(timeout=20)
    assert (first.returncode, second.returncode) == (0, 0), one[1] + other[1]
    assert one[0].count("making") + (told + other[0]).count("making: ") == 3  # mine, smelt and cast
    assert "found" in other[0]


def test_the_lock_of_a_dead_process_is_taken_over(trouble: Recipe, background: Background) -> None:
    end(background.into_the_stage("run", trouble.file), signal.SIGKILL)
    done = trouble.call("run")
    assert done.returncode == 0, done.stderr
    assert "waiting" not in done.stdout


def test_who_waits_takes_over_from_who_dies(trouble: Recipe, background: Background) -> None:
    first = background.into_the_stage("run", trouble.file)
    second = background.start("run", trouble.file)
    while "waiting" not in until(second.stdout.readline):
        pass
    end(first, signal.SIGKILL)
    output, errors = second.communicate(timeout=20)
    assert second.returncode == 0, errors
    assert "smelt  making: new" in output


def test_two_runs_of_different_settings_do_not_wait_for_each_other(trouble: Recipe, background: Background) -> None:
    background.into_the_stage("run", trouble.file)
    done = trouble.call("run", "word=iron")
    assert done.returncode == 0, done.stderr
    assert "waiting" not in done.stdout
