"""What an edit costs: every kind of change, through the real command line, and what is made again for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli, read_json, surroundings
from tests.engine.conftest import Recipe, edit, reasons, refused

EVERYTHING = {"write", "double", "count", "report"}


def test_a_second_run_finds_everything(made: Recipe) -> None:
    assert made.run() == {}


def test_a_comment_edit_keeps_every_result(made: Recipe) -> None:
    made.edit("# one line a line", "# line by line")
    made.edit("def repeated", "# twice\ndef repeated", file="words.py")
    assert made.run() == {}


def test_a_docstring_edit_keeps_every_result(made: Recipe) -> None:
    made.edit('"""The lines as they are to begin."""', '"""Lines with a beginning."""')
    made.edit('"""how often every line comes"""', '"""times that every line comes"""')
    made.edit('"""What the toy does with words."""', "", file="words.py")
    assert made.run() == {}


def test_new_formatting_keeps_every_result(made: Recipe) -> None:
    made.edit("return [line for line in lines for _ in range(times)]",
              "return [\n        line for line in lines\n\n        for _ in (range(times))\n    ]", file="words.py")  # fmt: skip
    assert made.run() == {}


def test_an_edit_of_a_stage_makes_it_again_and_nothing_before_it(made: Recipe) -> None:
    made.edit("for line in lines])\n\n\ndef double", "for line in lines][:2])\n\n\ndef double")
    why = made.run()
    assert why.keys() == EVERYTHING
    assert why["write"] == "code of toy:write changed"
    assert why["double"] == "written is different"
    assert why["report"] == "doubled is different, counted is different"


def test_a_helper_that_only_one_stage_uses_remakes_only_that_stage(made: Recipe) -> None:
    made.edit("return line.strip()", "return line.strip().rstrip()")
    assert made.run() == {"write": "code of toy:tidy changed"}


def test_a_result_that_comes_out_equal_stops_the_rebuild(made: Recipe) -> None:
    made.edit("[line for line in lines for _ in range(times)]", "[again for line in lines for again in [line] * times]",
              file="words.py")  # fmt: skip
    assert made.run() == {"double": "code of words:repeated changed"}


def test_a_helper_module_counts_for_the_stages_that_use_the_changed_part(made: Recipe) -> None:
    made.edit("else len(text)", "else len(text) - 1", file="words.py")
    assert made.run() == {"count": "code of words:counted changed"}


def test_a_helper_that_no_stage_uses_may_change_freely(made: Recipe) -> None:
    made.edit('"-".join', '"+".join', file="words.py")
    assert made.run() == {}


def test_the_plan_may_be_written_anew(made: Recipe) -> None:
    made.edit("counted = Step(count, config.counting, doubled=doubled)\n    return Step(report, None, doubled=doubled, counted=counted)",
              "return Step(report, None, counted=Step(count, config.counting, doubled=doubled), doubled=doubled)")  # fmt: skip
    made.edit("def plan(config: Config) -> Step:", "def plan(config: Config, *unused: object) -> Step:")
    assert made.run() == {}


def test_a_step_may_be_given_another_name(made: Recipe) -> None:
    made.edit("Step(write, config.writing)", 'Step(write, config.writing, name="begin")')
    assert made.run() == {}


def test_a_changed_setting_is_named_with_both_values(made: Recipe) -> None:
    why = made.run("writing.text=b")
    assert why["write"] == "text: a → b"
    assert why.keys() == EVERYTHING
    assert made.run("counting.unit=letters")["count"].startswith("unit: lines → letters")


def test_going_back_to_an_earlier_setting_finds_the_earlier_results(made: Recipe) -> None:
    assert made.run("doubling.times=3")["double"] == "times: 2 → 3"
    assert made.run() == {}
    assert (made.results / "report" / "count.txt").read_text(encoding="utf-8") == "6 of them\n"


def test_a_neutral_setting_keeps_every_result(made: Recipe) -> None:
    assert made.run("writing.workers=8") == {}


def test_a_row_more_in_an_input_file_is_noticed(made: Recipe) -> None:
    with (made.file.parent / "input.txt").open("a", encoding="utf-8") as file:
        file.write("four\n")
    assert made.run()["write"] == "file: other content"
    assert read_json(made.results / "count.json") == 8


def test_a_file_that_changes_while_it_is_read_gives_no_result(made: Recipe) -> None:
    made.edit(
        "    return _text(out, [config", "    config.file.write_text(lines[0] + '!')\n    return _text(out, [config"
    )
    refused(
        made.call("run"),
        "write: what it depends on changed since this run began (file: other content); run the same again",
    )
    assert len(list((made.store / "write").iterdir())) == 1


def test_a_touched_file_with_the_same_content_keeps_every_result(made: Recipe) -> None:
    os.utime(made.file.parent / "input.txt", (1, 1))
    assert made.run() == {}
    shutil.copy(made.file.parent / "input.txt", made.file.parent / "copy.txt")
    os.replace(made.file.parent / "copy.txt", made.file.parent / "input.txt")
    assert made.run() == {}


def test_an_edit_of_an_old_file_that_leaves_size_and_time_is_noticed(toy: Recipe) -> None:
    file = toy.file.parent / "input.txt"
    os.utime(file, (1, 1))
    toy.run()
    toy.run()  # by now everything about the file is remembered
    file.write_text("one\nTWO\nthree\n", encoding="utf-8")
    os.utime(file, (1, 1))
    assert toy.run()["write"] == "file: other content"
    assert "TWO" in (toy.results / "text.txt").read_text(encoding="utf-8")


def test_an_edit_of_old_code_that_leaves_size_and_time_is_noticed(toy: Recipe) -> None:
    file = toy.file.parent / "words.py"
    os.utime(file, (1, 1))
    toy.run()
    edit(file, "range(times)", "range(5    )")
    os.utime(file, (1, 1))
    assert toy.run()["double"] == "code of words:repeated changed"


def test_another_file_with_the_same_content_gives_the_same_results(made: Recipe, tmp_path: Path) -> None:
    shutil.copy(made.file.parent / "input.txt", tmp_path / "elsewhere.txt")
    assert made.run(f"writing.file={tmp_path / 'elsewhere.txt'}") == {}


def test_a_renamed_recipe_finds_its_results(made: Recipe) -> None:
    made.file = made.file.rename(made.file.with_name("game.py"))
    assert made.run() == {}
    assert (made.results / "text.txt").is_file()


def test_a_renamed_helper_module_keeps_every_result(made: Recipe) -> None:
    (made.file.parent / "words.py").rename(made.file.parent / "terms.py")
    made.edit("import words\n", "import terms as words\n")
    assert made.run() == {}


def test_a_moved_folder_finds_its_results(made: Recipe, tmp_path: Path) -> None:
    made.file = made.file.parent.rename(tmp_path / "moved") / "toy.py"
    assert made.run() == {}


def test_a_moved_store_keeps_its_results(made: Recipe, tmp_path: Path, cli: Cli) -> None:
    home = made.home.rename(tmp_path / "new home")
    assert reasons(cli("run", made.file, PIPELINE_HOME=str(home))) == {}
    assert (
        reasons(cli("run", made.file, PIPELINE_HOME=str(home), LC_ALL="C", PYTHONHASHSEED="7", TZ="Asia/Tokyo")) == {}
    )


def test_an_import_that_means_something_else_is_noticed(made: Recipe) -> None:
    made.edit("import words\n", "import math\nfrom math import floor as rounded\nimport words\n")
    made.edit("config.text + tidy(line)", "config.text + tidy(line) + str(rounded(1.5))")
    made.run()
    made.edit("floor as rounded", "ceil as rounded")
    assert "write" in made.run()
    assert (made.results / "text.txt").read_text(encoding="utf-8").startswith("aone2\n")


def test_an_engine_edit_keeps_every_result(toy: Recipe, checkout: Path) -> None:
    def run() -> dict[str, str]:
        return reasons(toy.cli("run", toy.file, cwd=checkout))

    assert run().keys() == EVERYTHING
    edit(checkout / "pipeline" / "run.py", "def run(", "UNUSED = 1\n\n\ndef run(")
    edit(checkout / "pipeline" / "store.py", "def _total", "def _unused() -> None:\n    pass\n\n\ndef _total")
    edit(checkout / "pipeline" / "config.py", "def override", "def _unused() -> None:\n    pass\n\n\ndef override")
    assert run() == {}


def test_what_stages_import_from_the_package_counts_by_definition(toy: Recipe, checkout: Path) -> None:
    def run() -> dict[str, str]:
        return reasons(toy.cli("run", toy.file, cwd=checkout))

    run()
    artifacts = checkout / "pipeline" / "artifacts.py"
    edit(artifacts, "class Card(Artifact):", "class Letter(Artifact):\n    shown = ()\n\n\nclass Card(Artifact):")
    assert run() == {}
    edit(artifacts, "indent=1", "indent=2")
    assert run().keys() == EVERYTHING
    assert run() == {}


def test_a_recipe_is_the_same_by_name_and_by_path(toy: Recipe, checkout: Path) -> None:
    for file in toy.file.parent.glob("*.*"):
        shutil.copy(file, checkout / "recipes")
    edit(checkout / "recipes" / "toy.py", "import words", "from recipes import words")
    assert reasons(toy.cli("run", "toy", cwd=checkout)).keys() == EVERYTHING
    assert reasons(toy.cli("run", "recipes/toy.py", cwd=checkout)) == {}


@pytest.fixture
def python(tmp_path: Path, toy: Recipe) -> Callable[[str], dict[str, str]]:
    """The toy run by an environment of its own, in which the package ``shelf`` has a version."""
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    interpreter = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    asked = [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    import filelock

    (packages / "more.pth").write_text(str(Path(filelock.__file__).parent.parent), encoding="utf-8")

    def run(version: str) -> dict[str, str]:
        for old in packages.glob("my_shelf-*"):
            shutil.rmtree(old)
        (packages / "shelf").mkdir(exist_ok=True)
        (packages / "shelf" / "__init__.py").write_text("HEIGHT = 1\n", encoding="utf-8")
        info = packages / f"my_shelf-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-shelf\nVersion: {version}\n", encoding="utf-8")
        (info / "top_level.txt").write_text("shelf\n", encoding="utf-8")
        command = [interpreter, "-m", "pipeline", "run", toy.file]
        done = subprocess.run(command, env=surroundings(toy.home), capture_output=True, text=True, encoding="utf-8")
        return reasons(done)

    return run


def test_another_version_of_a_library_remakes_the_stages_that_import_it(
    toy: Recipe, python: Callable[[str], dict[str, str]]
) -> None:
    toy.edit("def repeated(lines: list[str], times: int) -> list[str]:\n",
             "def repeated(lines: list[str], times: int) -> list[str]:\n    import shelf\n\n    assert shelf.HEIGHT\n",
             file="words.py")  # fmt: skip
    assert python("1.0").keys() == EVERYTHING
    assert python("1.0") == {}
    assert python("1.1") == {"double": "shelf: 1.0 → 1.1"}
    assert toy.records()[-1]["versions"]["shelf"] == "1.1"
