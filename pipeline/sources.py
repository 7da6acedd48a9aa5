"""The code behind a stage: our definitions that it can reach, and the versions of other people's.

Found by following names through imports without running anything.  Imports inside functions
count: that is how a stage can defer ``import torch`` and still be tied to the torch it ran on.
Only what can be reached counts: an edit to ``predict`` does not undo a training.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from pipeline import syntax
from pipeline.memo import Memo

OURS = ("pipeline", "recipes")
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML"}  # others are looked up
BLIND = {"__import__", "import_module", "importlib.import_module", "eval", "exec", "globals"}


class Unreadable(TypeError):
    """Code whose dependencies cannot be read off."""


@dataclass
class Code:
    """``definitions``: ``module:name`` to digest.  ``libraries``: name to version."""

    definitions: dict[str, str] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)


def code_of(roots: Iterable[tuple[str, str]], memo: Memo) -> Code:
    """Everything that the (module, name) pairs in ``roots`` can reach.

    Raises:
        Unreadable: one of them imports or looks up by a computed name.
    """
    return _Reach(memo).follow(roots)


class _Reach:
    """One walk; ``todo`` holds (module, dotted name) pairs, a name of "" being all of the module."""

    def __init__(self, memo: Memo) -> None:
        self.memo = memo
        self.code = Code()
        self.seen: set[tuple[str, str]] = set()
        self.todo: list[tuple[str, str]] = []

    def follow(self, roots: Iterable[tuple[str, str]]) -> Code:
        self.todo = list(roots)
        while self.todo:
            target = self.todo.pop()
            if target not in self.seen:
                self.seen.add(target)
                self._visit(*target)
        return self.code

    def _visit(self, module: str, name: str) -> None:
        file = locate(module)
        if file is None:
            self._library(module.partition(".")[0])
            return
        source = self._read(module, file)
        self._run(module, source)
        for each in [name] if name else [*source["definitions"], *source["imports"]]:
            self._resolve(module, source, each)

    def _run(self, module: str, source: syntax.Source) -> None:
        """Importing a module runs its effects, and those of its packages and of what it imports."""
        if (module, ":effects") in self.seen:
            return
        self.seen.add((module, ":effects"))
        if source["effects"]["digest"]:
            self._take(module, ":effects", source["effects"], source)
        package = module.rpartition(".")[0]
        for base, attribute in [(package, ""), *source["imports"].values()]:
            for each in (base, f"{base}.{attribute}"):
                if file := locate(each):
                    self._run(each, self._read(each, file))

    def _read(self, module: str, file: Path) -> syntax.Source:
        kind = f"source {syntax.FORM} {sys.hexversion} {module}"
        source: syntax.Source = self.memo.recall(kind, file, lambda f: syntax.read(f, module))
        return source

    def _resolve(self, module: str, source: syntax.Source, name: str) -> None:
        """Find what ``name``, dotted or not, means in a module; builtins and locals mean nothing."""
        first, _, rest = name.partition(".")
        if first in source["definitions"]:
            self._take(module, first, source["definitions"][first], source)
        elif first in source["imports"]:
            self._imported(*source["imports"][first], rest)
        elif submodule := locate(f"{module}.{first}") and f"{module}.{first}":
            self.todo.append((submodule, rest))
        else:
            self.todo += [(star, first) for star in source["stars"]]

    def _take(self, module: str, name: str, definition: syntax.Definition, source: syntax.Source) -> None:
        label = f"{module}:{name}"
        if label in self.code.definitions:
            return
        self.code.definitions[label] = definition["digest"]
        if blind := BLIND.intersection(definition["references"]):
            raise Unreadable(
                f"{label} uses {min(blind)}, so what it depends on cannot be known; import what it needs by name"
            )
        for base, attribute in definition["imports"].values():
            if not locate(base):
                self._imported(base, attribute, "")
        for reference in definition["references"]:
            first, _, rest = reference.partition(".")
            if first in definition["imports"]:
                self._imported(*definition["imports"][first], rest)
            else:
                self._resolve(module, source, reference)

    def _imported(self, module: str, attribute: str, rest: str) -> None:
        """A name that stands for ``module.attribute.rest``."""
        if attribute and locate(f"{module}.{attribute}"):
            self.todo.append((f"{module}.{attribute}", rest))
        else:
            self.todo.append((module, ".".join(part for part in (attribute, rest) if part)))

    def _library(self, top: str) -> None:
        if top and top not in sys.stdlib_module_names:
            self.code.libraries.setdefault(top, installed_version(top))


@cache
def locate(module: str) -> Path | None:
    """The source file of one of our modules, found without importing anything; None for other people's."""
    top, *rest = module.split(".")
    place = _home(top)
    if place is None:
        return None
    if not rest and place.is_file():
        return place
    place = Path(place, *rest)
    return next((f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()), None)


@cache
def _home(top: str) -> Path | None:
    """Where a top-level module is written, if by us: anywhere but where packages are installed."""
    if not top or top in sys.stdlib_module_names or top == "__main__":
        return None
    spec = PathFinder.find_spec(top)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    origin = Path(spec.origin)
    if top not in OURS and any(origin.is_relative_to(place) for place in _installed()):
        return None
    return origin.parent if origin.name == "__init__.py" else origin


@cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[kind] for kind in ("purelib", "platlib", "stdlib", "platstdlib")})


@cache
def installed_version(top: str) -> str:
    """The version of the distribution that brings a top-level module, or ``absent``."""
    try:
        return version(DISTRIBUTIONS.get(top, top))
    except PackageNotFoundError:
        names = packages_distributions().get(top)
        return version(names[0]) if names else "absent"
