"""Finding recipes: modules with a dataclass ``Config`` and a function ``plan``."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import recipes
from pipeline.bytecode import drop_stale
from pipeline.errors import UserError, nearest
from pipeline.step import Step, WiringError


def names() -> list[str]:
    """The recipes in ``recipes/``."""
    return sorted(f.stem for f in Path(recipes.__path__[0]).glob("[!_]*.py"))


def summaries() -> Iterator[tuple[str, str]]:
    """Each recipe with the first line of its docstring, importing none."""
    for name in names():
        source = Path(recipes.__path__[0], f"{name}.py").read_text(encoding="utf-8")
        try:
            yield name, (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        except SyntaxError as error:
            yield name, f"(cannot be read: {error.msg}, line {error.lineno})"


def missing(where: str = "") -> str:
    """What to say to a command that names no recipe."""
    return f"RECIPE is missing{where}; the recipes are: {', '.join(names())} (or give the path of a .py file)"


def load(recipe: str) -> ModuleType:
    """The recipe of this name in ``recipes/``, or in the Python file of this path.

    Raises:
        UserError: there is none, or it is no recipe.
    """
    module = _from_file(Path(recipe)) if recipe.endswith(".py") else _by_name(recipe)
    if missing := [part for part in ("Config", "plan") if not hasattr(module, part)]:
        raise UserError(f"{recipe} is not a recipe: it lacks {' and '.join(missing)}; see docs/recipes.md")
    return module


def planned(recipe: str, module: ModuleType, config: Any) -> Step:
    """The last step of a recipe with these settings.

    Raises:
        WiringError: its ``plan`` gives none.
    """
    step = module.plan(config)
    if not isinstance(step, Step):
        given = "nothing" if step is None else f"a {type(step).__name__}"
        raise WiringError(f"{recipe}: plan(config) returns {given}; return the last Step, see docs/recipes.md")
    return step


def origin(recipe: str) -> str:
    """The file a recipe is written in, to tell two of one name apart."""
    return str((Path(recipe) if recipe.endswith(".py") else Path(recipes.__path__[0], f"{recipe}.py")).resolve())


def title(recipe: str) -> str:
    """What a recipe is called in ``results/``."""
    return Path(recipe).stem


def _by_name(name: str) -> ModuleType:
    if name not in names():
        if "=" in name:
            raise UserError(missing(f" before {name}"))
        raise UserError(
            f"no recipe {name!r}; {nearest(name, names(), 'the recipes are:')} (or give the path of a .py file)"
        )
    drop_stale(Path(recipes.__path__[0]).glob("*.py"))
    with _mistakes_explained(name):
        return import_module(f"recipes.{name}")


def _from_file(file: Path) -> ModuleType:
    """A recipe anywhere: imported as a script would be, so that it can import its neighbours."""
    if not file.is_file():
        raise UserError(f"no recipe file {file}")
    if not file.stem.isidentifier():
        raise UserError(f"{file}: rename it: a recipe is a Python module, so its name is letters, digits and _")
    spec = spec_from_file_location(file.stem, file.resolve())
    assert spec is not None and spec.loader is not None
    if sys.modules.get(file.stem) or file.stem in sys.stdlib_module_names:
        raise UserError(f"{file}: rename it, there is another module called {file.stem!r}")
    drop_stale(file.resolve().parent.glob("*.py"))
    sys.path.append(str(file.parent.resolve()))  # last: a neighbour called datasets.py must not hide the library
    module = sys.modules[file.stem] = module_from_spec(spec)
    with _mistakes_explained(str(file)):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _mistakes_explained(recipe: str) -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        raise UserError(f"{error.filename}:{error.lineno}: {error.msg}") from None
    except ValueError as error:
        # What ``dataclasses`` says of a default that can change, which is of no help to who wrote the settings.
        found = re.match(r"mutable default <class '(?:.*\.)?(\w+)'> for field (\w+) ", str(error))
        if not found:
            raise
        kind, field = found.groups()
        way_out = "write a tuple" if kind in ("list", "dict", "set") else f"write @dataclass(frozen=True) above {kind}"
        raise UserError(f"{recipe}: the setting {field!r} is a {kind}, which can change; {way_out}") from None
