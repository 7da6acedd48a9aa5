"""Finding recipes: modules with a dataclass ``Config`` and a function ``plan``."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import recipes
from pipeline.bytecode import drop_stale
from pipeline.errors import UserError, nearest


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


def load(recipe: str) -> ModuleType:
    """The recipe of this name in ``recipes/``, or in the Python file of this path.

    Raises:
        UserError: there is none, or it is no recipe.
    """
    module = _from_file(Path(recipe)) if recipe.endswith(".py") else _by_name(recipe)
    if missing := [part for part in ("Config", "plan") if not hasattr(module, part)]:
        raise UserError(f"{recipe} is not a recipe: it lacks {' and '.join(missing)}; see docs/recipes.md")
    return module


def origin(recipe: str) -> str:
    """The file a recipe is written in, to tell two of one name apart."""
    return str((Path(recipe) if recipe.endswith(".py") else Path(recipes.__path__[0], f"{recipe}.py")).resolve())


def title(recipe: str) -> str:
    """What a recipe is called in ``results/``."""
    return Path(recipe).stem


def _by_name(name: str) -> ModuleType:
    if name not in names():
        if "=" in name:
            raise UserError(f"RECIPE is missing before {name}; the recipes are: {', '.join(names())}")
        raise UserError(
            f"no recipe {name!r}; {nearest(name, names(), 'the recipes are:')} (or give the path of a .py file)"
        )
    drop_stale(Path(recipes.__path__[0]).glob("*.py"))
    with _syntax_explained():
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
    with _syntax_explained():
        spec.loader.exec_module(module)
    return module


@contextmanager
def _syntax_explained() -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        raise UserError(f"{error.filename}:{error.lineno}: {error.msg}") from None
