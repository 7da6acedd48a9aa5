"""Finding recipes, by name and by path, and every file that is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli
from tests.engine.conftest import Recipe, edit, reasons, refused, well

PLAN = "from toy import Config, plan\n"


def test_list_names_every_recipe_with_its_first_line(cli: Cli) -> None:
    lines = well(cli("list")).stdout.splitlines()
    assert any(
        line.split(maxsplit=1) == ["sentiment", "Sentiment: does a review praise or complain?"] for line in lines
    )


def test_every_summary_of_the_list_begins_in_one_column(cli: Cli) -> None:
    lines = well(cli("list")).stdout.splitlines()
    names = [line.split()[0] for line in lines]
    width = max(map(len, names))
    assert names == sorted(file.stem for file in (ROOT / "recipes").glob("[!_]*.py"))
    assert all(line[width : width + 2] == "  " and line[width + 2] != " " for line in lines)


def test_a_new_file_in_recipes_is_listed_without_being_run(cli: Cli, checkout: Path) -> None:
    (checkout / "recipes" / "bomb.py").write_text('"""Bomb: goes off."""\nraise SystemExit(9)\n', encoding="utf-8")
    (checkout / "recipes" / "_draft.py").write_text('"""Draft."""\n', encoding="utf-8")
    done = well(cli("list", cwd=checkout))
    assert "Bomb: goes off." in done.stdout
    assert "draft" not in done.stdout


def test_a_recipe_that_cannot_be_parsed_does_not_hide_the_others(cli: Cli, checkout: Path) -> None:
    (checkout / "recipes" / "broken.py").write_text("def plan(:\n", encoding="utf-8")
    done = well(cli("list", cwd=checkout))
    assert "sentiment" in done.stdout
    assert "broken" in done.stdout
    refused(cli("show", "broken", cwd=checkout), "broken.py:1: invalid syntax")


def test_an_unknown_recipe_is_refused_with_the_nearest(cli: Cli) -> None:
    refused(
        cli("run", "sentimant"), "no recipe 'sentimant'; did you mean 'sentiment'? (or give the path of a .py file)"
    )


def test_an_unknown_recipe_like_no_other_is_refused_with_all_there_are(cli: Cli) -> None:
    refused(cli("plan", "zzz"), "no recipe 'zzz'; the recipes are: ", "sentiment")


def test_a_missing_recipe_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    refused(cli("show", tmp_path / "gone.py"), f"no recipe file {tmp_path / 'gone.py'}")
    (tmp_path / "folder.py").mkdir()
    refused(cli("show", tmp_path / "folder.py"), "no recipe file")


@pytest.mark.parametrize(
    ("text", "lacks"),
    [("", "Config and plan"), ("class Config: ...\n", "plan"), ("def plan(config): ...\n", "Config")],
)
def test_a_file_that_is_no_recipe_is_refused(cli: Cli, tmp_path: Path, text: str, lacks: str) -> None:
    file = tmp_path / "plain.py"
    file.write_text(text, encoding="utf-8")
    refused(cli("run", file), f"{file} is not a recipe: it lacks {lacks}; see docs/recipes.md")


def test_a_syntax_error_is_shown_with_its_line(toy: Recipe) -> None:
    toy.edit("def plan(config: Config) -> Step:", "def plan(config: Config -> Step:")
    line = toy.file.read_text(encoding="utf-8").split("def plan")[0].count("\n") + 1
    refused(toy.call("run"), f"{toy.file}:{line}: ")


def test_a_syntax_error_in_a_neighbour_is_shown_with_the_neighbours_line(toy: Recipe) -> None:
    (toy.file.parent / "words.py").write_text("x = 1\nx = = 2\n", encoding="utf-8")
    refused(toy.call("run"), f"{toy.file.parent / 'words.py'}:2: invalid syntax")


@pytest.mark.parametrize("name", ["json", "pathlib", "random"])
def test_a_recipe_named_like_a_module_of_python_is_refused(toy: Recipe, name: str) -> None:
    toy.file = toy.file.rename(toy.file.with_name(f"{name}.py"))
    refused(toy.call("run"), f"rename it, there is another module called '{name}'")


def test_a_recipe_named_like_the_package_is_refused(toy: Recipe) -> None:
    toy.file = toy.file.rename(toy.file.with_name("pipeline.py"))
    refused(toy.call("run"), "rename it, there is another module called 'pipeline'")


def test_a_recipe_is_found_from_any_folder(toy: Recipe, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(toy.run()) == 4
    place = toy.file.parent
    root = Path(__file__).parents[2]
    assert reasons(cli("run", "toy.py", cwd=place, PYTHONPATH=str(root))) == {}
    assert reasons(cli("run", "../toy/toy.py", cwd=place, PYTHONPATH=str(root))) == {}


def test_an_edit_is_noticed_whatever_the_recipe_file_is_called(toy: Recipe) -> None:
    toy.file = toy.file.rename(toy.file.with_name("my toy.v2.py"))
    done = toy.call("run")
    if done.returncode:
        refused(done, "my toy.v2.py", "rename it")
    else:
        toy.edit("config.text + tidy(line)", "config.text + tidy(line) + '!'")
        assert "write" in toy.run()


def test_a_recipe_may_import_its_neighbours_inside_functions(toy: Recipe) -> None:
    toy.edit("import words\n", "")
    toy.edit("    return _text(out, words.repeated", "    import words\n\n    return _text(out, words.repeated")
    toy.edit("    made = Count(out)\n", "    import words\n\n    made = Count(out)\n")
    assert len(toy.run()) == 4


def test_a_recipe_may_bring_a_folder_of_modules_without_an_init_file(toy: Recipe) -> None:
    (toy.file.parent / "parts").mkdir()
    shutil.move(toy.file.parent / "words.py", toy.file.parent / "parts" / "words.py")
    toy.edit("import words\n", "from parts import words\n")
    toy.run()
    edit(toy.file.parent / "parts" / "words.py", "range(times)", "range(times + 1)")
    assert toy.run().get("double") == "code of parts.words:repeated changed"


def test_a_recipe_may_be_built_from_another(toy: Recipe) -> None:
    toy.run()
    other = toy.file.with_name("toy_again.py")
    other.write_text(PLAN, encoding="utf-8")
    assert reasons(toy.cli("run", other)) == {}


def test_steps_that_do_not_fit_are_a_mistake_of_the_recipe(toy: Recipe) -> None:
    toy.edit("Step(count, config.counting, doubled=doubled)", "Step(count, config.counting)")
    refused(toy.call("run"), "count needs doubled, which no step was given for")


def test_settings_without_a_fingerprint_are_a_mistake_of_the_recipe(toy: Recipe) -> None:
    toy.edit("    text: str = ", "    text: object = frozenset()  # ")
    refused(toy.call("plan"), "Writing.text = frozenset() has no fingerprint, being of type frozenset")


def test_a_mistake_in_a_later_step_is_told_before_anything_is_made(toy: Recipe) -> None:
    toy.edit("made = Count(out)", "made = eval('Count')(out)")
    done = toy.call("run")
    refused(done, "toy:count uses eval")
    assert "making" not in done.stdout


def test_a_computed_import_in_a_stage_is_a_mistake_of_the_recipe(toy: Recipe) -> None:
    toy.edit("return line.strip()", "return __import__(line)")
    refused(toy.call("run"), "toy:tidy uses __import__, so what it depends on cannot be known; import what it needs")


@pytest.mark.parametrize(("result", "given"), [("None", "nothing"), ("config", "a Config"), ("[1]", "a list")])
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_plan_without_a_step_is_a_mistake_of_the_recipe(toy: Recipe, command: str, result: str, given: str) -> None:
    toy.file.write_text(f"{toy.file.read_text(encoding='utf-8')}\n\ndef plan(config):\n    return {result}\n", "utf-8")
    refused(toy.call(command), f"{toy.file}: plan(config) returns {given}; return the last Step")


def test_settings_that_are_not_frozen_are_a_mistake_of_the_recipe(toy: Recipe) -> None:
    toy.edit("@dataclass(frozen=True)\nclass Writing", "@dataclass\nclass Writing")
    refused(
        toy.call("show"),
        f"{toy.file}: the setting 'writing' is a Writing, which can change; write @dataclass(frozen=True)",
    )


def test_a_setting_that_is_a_list_is_a_mistake_of_the_recipe(toy: Recipe) -> None:
    toy.edit("    text: str = ", "    text: list = []  # ")
    refused(toy.call("show"), f"{toy.file}: the setting 'text' is a list, which can change; write a tuple")


def test_another_value_error_of_a_recipe_is_shown_with_its_traceback(toy: Recipe) -> None:
    toy.edit("import words\n", "import words\nint('x')\n")
    done = toy.call("show")
    assert done.returncode == 1 and "Traceback" in done.stderr and "invalid literal" in done.stderr


RETURNED = {
    "nothing": ("None", "count returns nothing, where it says Count; end it with return Count(out)"),
    "another artifact": ("Text(out)", "count returns a Text, where it says Count"),
    "another folder": (
        "Count(out.parent)",
        "not in the folder that it was given; write into out, and return Count(out)",
    ),
}


@pytest.mark.parametrize("case", RETURNED)
def test_a_stage_that_does_not_return_what_it_made_is_a_mistake_of_the_recipe(toy: Recipe, case: str) -> None:
    returned, told = RETURNED[case]
    toy.edit("    made = Count(out)\n", f"    return {returned}\n    made = Count(out)\n")
    refused(toy.call("run"), told)
    assert not (toy.store / "count").exists()


def test_a_stage_may_return_its_folder_by_another_way(toy: Recipe) -> None:
    toy.edit("    made = Count(out)\n", "    made = Count(out / '..' / out.name)\n")
    assert "count" in toy.run()
