"""The command line itself: help, exit codes, and how it ends."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
import time
import tomllib

import pytest

from pipeline import __version__, commands
from pipeline.cli import main
from tests.conftest import ROOT, Cli, surroundings
from tests.engine.conftest import Recipe, refused, well

COMMANDS = ("list", "show", "plan", "run", "why", "clean")


def test_help_names_every_command(cli: Cli) -> None:
    text = well(cli("--help")).stdout
    assert all(f"\n    {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli: Cli, command: str) -> None:
    assert well(cli(command, "--help")).stdout.startswith(f"usage: python -m pipeline {command}")


def test_the_version_is_told(cli: Cli) -> None:
    assert well(cli("--version")).stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    "arguments", [(), ("walk",), ("why", "sentiment"), ("clean", "--keep", "x"), ("run", "sentiment", "--untl")]
)
def test_a_command_line_that_cannot_be_read_is_a_mistake(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert "usage: python -m pipeline" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "plan", "show", "predict", "why"])
def test_a_command_without_a_recipe_names_those_there_are_in_one_line(cli: Cli, command: str) -> None:
    done = cli(command)
    refused(done, "error: RECIPE is missing; the recipes are: adapt, ", "sentiment", "(or give the path of a .py file)")
    assert len(done.stderr.splitlines()) == 1


def test_settings_are_not_said_to_be_missing(cli: Cli) -> None:
    assert "the following arguments are required: STEP\n" in cli("why", "sentiment").stderr


@pytest.mark.parametrize("command", ["run", "plan", "show"])
def test_all_problems_of_settings_are_told_at_once(toy: Recipe, command: str) -> None:
    done = toy.call(command, "writing.txt=b", "doubling.times=x", "counting.unit=words", "writing.workers=0")
    refused(
        done,
        "error: writing.txt=b: no setting 'txt'; did you mean 'text'?\n",
        "error: doubling.times=x: expected a whole number\n",
        "error: counting.unit=words: expected lines or letters\n",
        "error: writing.workers=0: workers must be at least 1\n",
    )
    assert len(done.stderr.splitlines()) == 4
    assert done.stdout == ""


def test_why_refuses_settings_too(toy: Recipe) -> None:
    refused(toy.call("why", "write", "writing.txt=b"), "did you mean 'text'?")


def test_a_settings_file_that_is_missing_is_a_mistake(toy: Recipe) -> None:
    refused(toy.call("run", "--settings", "no.toml"), "no.toml: cannot be read (", "--settings wants a TOML file")


def test_the_installed_command_leads_to_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["pipeline"].partition(":")
    assert callable(getattr(importlib.import_module(module), name, None)), f"{module} has no {name}"


def test_everything_is_kept_where_pipeline_home_says(toy: Recipe, cli: Cli) -> None:
    toy.run()
    assert {place.name for place in toy.home.iterdir()} == {".store", "results"}


def test_everything_is_kept_here_unless_told_otherwise(toy: Recipe) -> None:
    environment = surroundings(toy.home, PYTHONPATH=str(ROOT))
    del environment["PIPELINE_HOME"]
    command = [sys.executable, "-m", "pipeline", "run", str(toy.file)]
    subprocess.run(command, cwd=toy.home, env=environment, check=True, capture_output=True)
    assert {place.name for place in toy.home.iterdir()} == {".store", "results"}


@pytest.mark.parametrize("command", [["list"], ["show", "sentiment"]])
def test_a_reader_that_has_gone_is_no_error_worth_words(toy: Recipe, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nowhere:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *command],
            cwd=ROOT, env=surroundings(toy.home), stdout=nowhere, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.stderr == ""


def test_names_in_any_script_are_printed_whatever_the_locale(toy: Recipe) -> None:
    done = toy.call("show", "writing.text=日本語 é", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="")
    assert "Traceback" not in well(done).stderr


def test_a_run_that_finds_everything_is_over_at_once(toy: Recipe) -> None:
    toy.run()
    begun = time.monotonic()
    assert toy.run() == {}
    assert time.monotonic() - begun < 5  # a framework alone takes longer to import


LONG = "a long sentence " * 40


@pytest.mark.parametrize("setting", ["corpus.source", "base.model"])
def test_a_sentence_where_a_file_is_meant_is_a_mistake(cli: Cli, setting: str) -> None:
    refused(cli("plan", "sentiment", f"{setting}={LONG}"), "error: a long sentence", "too long for the name of a file")


@pytest.mark.parametrize("place", ["{file}", "{file}/within", "/proc", "/proc/nothing", LONG])
def test_a_home_that_can_be_no_folder_is_named(toy: Recipe, place: str) -> None:
    home = place.format(file=toy.file)
    refused(toy.call("run", PIPELINE_HOME=home), f"error: PIPELINE_HOME={home:.300}: there can be no .store in it")


@pytest.mark.parametrize("problem", ["EROFS", "ENOTDIR", "ELOOP", "ENAMETOOLONG"])
def test_an_error_of_the_place_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    def fail() -> None:
        raise OSError(getattr(errno, problem), "in short", "/some/place")

    monkeypatch.setattr(commands, "list_recipes", fail)
    assert main(["list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: /some/place: ")


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "", "ours"), OSError("ours"), OSError(errno.EBADF, "")]
)
def test_an_error_that_may_be_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(commands, "list_recipes", fail)
    with pytest.raises(OSError, match=r".*") as caught:
        main(["list"])
    assert caught.value is error
