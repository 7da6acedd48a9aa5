"""What the documents show works as it stands there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Cli, quick, surroundings


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(cli: Cli, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert cli("run", "sentiment", *quick(reviews, tiny_model, "export.formats=safetensors")).returncode == 0
    shutil.copytree(home / "results", tmp_path / "results")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    stages, loading = blocks("README.md", "python")
    for script in (stages, loading):
        found = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=surroundings(home, PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        assert "accuracy" in found.stdout or "score" in found.stdout


@pytest.mark.slow
def test_the_python_of_the_page_on_backends_runs(
    cli: Cli, home: Path, reviews: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = quick(reviews, tiny_model, "backend=tensorflow", "export.formats=safetensors,savedmodel")
    assert cli("run", "sentiment", *settings).returncode == 0
    (script,) = [block for block in blocks("docs/exports.md", "python") if "saved_model.load" in block]
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=home, env=surroundings(home), capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "probabilities" in found.stdout and "label" in found.stdout


@pytest.mark.slow
def test_the_python_that_answers_with_8_bits_runs(cli: Cli, home: Path, reviews: Path, tiny_model: Path) -> None:
    settings = quick(reviews, tiny_model, "export.formats=safetensors,onnx-int8", "export.budget=10")
    assert cli("run", "sentiment", *settings).returncode == 0
    (script,) = [block for block in blocks("docs/exports.md", "python") if "ThreadPoolExecutor" in block]
    found = subprocess.run(
        [sys.executable, "-c", f"{script}\nprint(len(answers), answers[0].shape)"],
        cwd=home, env=surroundings(home), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "13 (16, 2)"


def test_the_table_of_backends_is_that_of_the_code() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "pipeline.backends"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout in (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")


def test_the_recipe_of_the_documents_for_letters_is_one(cli: Cli, reviews: Path, tmp_path: Path) -> None:
    (recipe,) = [block for block in blocks("docs/recipes.md", "python") if "class Config(Settings)" in block]
    file = tmp_path / "letters.py"
    file.write_text(recipe, encoding="utf-8")
    done = cli("plan", str(file), f"corpus.source={reviews}")
    assert done.returncode == 0, done.stderr
    assert "collect" in done.stdout and "to be made: new" in done.stdout


def test_the_recipe_of_the_documents_with_a_stage_of_its_own_runs(cli: Cli, home: Path, tmp_path: Path) -> None:
    (recipe,) = [block for block in blocks("docs/recipes.md", "python") if "class Shouting" in block]
    file = tmp_path / "shout.py"
    file.write_text(recipe, encoding="utf-8")
    done = cli("run", str(file), "shouting.marks=3")
    assert done.returncode == 0, done.stderr
    assert (home / "results" / "shout" / "text.txt").read_text(encoding="utf-8") == "NEVER THE SAME WORK TWICE!!!"


RECIPES = sorted(file.stem for file in (ROOT / "recipes").glob("*.py") if file.stem != "__init__")


def test_every_setting_that_the_documents_name_exists(cli: Cli) -> None:
    shown = "".join(cli("show", recipe).stdout for recipe in RECIPES)
    known = set(re.findall(r"^\W*([\w.]+)=", shown, re.MULTILINE))
    pages = (
        "README.md",
        "docs/architecture.md",
        "docs/backends.md",
        "docs/exports.md",
        "docs/hub.md",
        "docs/privacy.md",
        "docs/tasks.md",
        "docs/training.md",
    )
    texts = " ".join((ROOT / name).read_text(encoding="utf-8") for name in pages)
    groups = {path.partition(".")[0] for path in known if "." in path}
    named = {path for path in re.findall(r"\b([a-z]+\.[a-z_]+)=", texts) if path.partition(".")[0] in groups}
    assert named and named <= known


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_setting_says_what_it_is_for(cli: Cli, recipe: str) -> None:
    shown = re.sub(r"\n {45}", "  ", cli("show", recipe).stdout)  # behind a long setting it stands on the next line
    assert shown
    for line in shown.splitlines():
        assert re.search(r"=\S*  +\w", line), line


def test_the_command_line_explains_itself(cli: Cli) -> None:
    for arguments in ([], ["run"], ["clean"], ["why"]):
        done = cli(*arguments, "--help")
        assert done.returncode == 0 and "usage: python -m pipeline" in done.stdout
