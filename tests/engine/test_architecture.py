"""What may import what: stages never the engine, and nothing a framework before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, surroundings
from tests.engine.conftest import Recipe

PACKAGE = ROOT / "pipeline"
ENGINE = {"step", "run", "runs", "store", "fingerprint", "sources", "syntax", "memo", "locks", "results", "clean",
          "pins", "config", "recipes", "console", "commands", "cli"}  # fmt: skip
FREE = (
    "stages",
    "backends",
    "tasks",
    "corpora",
    "metrics",
    "formats",
    "privacy",
)  # of the engine, so that its edits undo no model
HEAVY = {"torch", "tensorflow", "keras", "keras_hub", "transformers", "tokenizers", "datasets", "evaluate", "accelerate",
         "numpy", "pandas", "sklearn", "pyarrow", "onnx", "onnxruntime", "huggingface_hub", "rich",
         "detect_secrets", "phonenumbers", "stdnum"}  # fmt: skip


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(file: Path) -> Iterator[str]:
    """Every module and every name of a module that a file imports, wherever in it."""
    name = module_name(file)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", [f for f in MODULES if f.relative_to(PACKAGE).parts[0] in FREE], ids=module_name)
def test_what_stages_are_made_of_never_imports_the_engine(file: Path) -> None:
    found = {name.split(".")[1] for name in imported(file) if name.startswith("pipeline.")}
    assert not found & ENGINE


def test_nothing_that_stages_reach_is_the_engine() -> None:
    files = {module_name(file): file for file in MODULES}
    todo = [name for name, file in files.items() if file.relative_to(PACKAGE).parts[0] in FREE]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in files and name not in seen:
            seen.add(name)
            todo += [part for each in imported(files[name]) for part in (each, each.rpartition(".")[0])]
    assert not {f"pipeline.{name}" for name in ENGINE} & seen


def test_the_engine_knows_no_stage_no_task_and_no_backend() -> None:
    for name in sorted(ENGINE - {"recipes"}):
        found = {each.split(".")[1] for each in imported(PACKAGE / f"{name}.py") if each.startswith("pipeline.")}
        assert not found & set(FREE), name


def test_the_engine_imports_nothing_in_a_circle() -> None:
    edges = {
        name: {each.split(".")[1] for each in imported(PACKAGE / f"{name}.py") if each.startswith("pipeline.")} & ENGINE
        for name in ENGINE
    }
    edges = {name: found - {name} for name, found in edges.items()}
    while free := [name for name, needs in edges.items() if not needs & edges.keys()]:
        for name in free:
            del edges[name]
    assert not edges


def loaded(code: str, recipe: Recipe | None = None, *arguments: str) -> set[str]:
    """The top-level modules that a Python process has imported after running ``code``."""
    home = recipe.home if recipe else ROOT / "nowhere"
    code += "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=surroundings(home), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_no_framework() -> None:
    names = [module_name(f) for f in MODULES if f.relative_to(PACKAGE).parts[0] not in ("metrics", "__main__.py")]
    names += [f"recipes.{file.stem}" for file in (ROOT / "recipes").glob("*.py") if file.stem != "__init__"]
    found = loaded("\n".join(f"import {name}" for name in names))
    assert "pipeline" in found
    assert not found & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [["run", "{toy}"], ["plan", "{toy}"], ["show", "{toy}"], ["why", "{toy}", "count"], ["list"], ["plan", "sentiment"],
     ["show", "sentiment"], ["clean", "--dry-run"]],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_makes_nothing_imports_no_framework(toy: Recipe, arguments: list[str]) -> None:
    toy.edit("    made = Count(out)", "    import numpy\n\n    assert numpy\n    made = Count(out)")
    toy.run()
    code = "import sys; from pipeline.cli import main; assert main(sys.argv[1:]) == 0"
    found = loaded(code, toy, *(argument.format(toy=toy.file) for argument in arguments))
    assert not found & HEAVY


def test_no_module_does_anything_but_define_when_it_is_imported(tmp_path: Path) -> None:
    names = [module_name(f) for f in MODULES if f.relative_to(PACKAGE).parts[0] not in ("metrics", "__main__.py")]
    code = (
        "import os, sys, threading\nbefore = dict(os.environ)\n"
        + "\n".join(f"import {name}" for name in names)
        + "\nassert dict(os.environ) == before\nassert threading.active_count() == 1"
    )
    loaded(code)
