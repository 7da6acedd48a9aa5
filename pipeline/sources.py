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
from hashlib import blake2b
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from pipeline import syntax
from pipeline.memo import Memo

OURS = ("pipeline", "recipes")
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML"}  # others are looked up
ABSENT = "absent"
BLIND = {"__import__", "importlib.import_module", "eval", "exec", "globals"}


class Unreadable(TypeError):
    """Code whose dependencies cannot be read off."""


@dataclass
class Code:
    """``definitions``: ``module:name`` to digest.  ``imports``: what a name stands for where it is used, to a
    digest of that.  ``libraries``: name to version."""

    definitions: dict[str, str] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
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
        self.sources: dict[str, syntax.Source] = {}
        self.seen: set[tuple[str, str]] = set()
        self.todo: list[tuple[str, str]] = []

    def follow(self, roots: Iterable[tuple[str, str]]) -> Code:
        self.todo = list(roots)
        for module, name in self.todo:
            top = module.partition(".")[0]
            if not locate(module) and top not in sys.stdlib_module_names and installed_version(top) == ABSENT:
                raise Unreadable(
                    f"the code of {name} cannot be found: {module} is no module in a file that Python could import"
                )
        while self.todo:
            target = self.todo.pop()
            if target not in self.seen:
                self.seen.add(target)
                self._visit(*target)
        return self.code

    def _visit(self, module: str, name: str) -> None:
        file = locate(module)
        if file is None:
            self._library(module)
            return
        source = self._read(module, file)
        self._run(module, source)
        for each in [name] if name else [*source["definitions"], *source["imports"]]:
            self._resolve(module, source, each, f"{module}:{each}")

    def _run(self, module: str, source: syntax.Source) -> None:
        """Importing a module runs its effects, and those of its packages and of what it imports."""
        if (module, ":effects") in self.seen:
            return
        self.seen.add((module, ":effects"))
        if source["effects"]["digest"]:
            self._take(module, ":effects", source["effects"], source)
        package = module.rpartition(".")[0]
        for each in [package, *source["modules"]]:
            self._run_if_ours(each)

    def _run_if_ours(self, module: str) -> None:
        while module:  # importing a.b.c runs a and a.b as well
            if file := locate(module):
                self._run(module, self._read(module, file))
            module = module.rpartition(".")[0]

    def _read(self, module: str, file: Path) -> syntax.Source:
        if module not in self.sources:
            kind = f"source {syntax.FORM} {sys.hexversion} {module}"
            self.sources[module] = self.memo.recall(kind, file, lambda f: syntax.read(f, module))
        return self.sources[module]

    def _resolve(self, module: str, source: syntax.Source, name: str, label: str) -> None:
        """Find what ``name``, dotted or not, means in a module to ``label``; builtins and locals mean nothing."""
        first, _, rest = name.partition(".")
        if first in source["definitions"]:
            self._take(module, first, source["definitions"][first], source)
        for target in source["imports"].get(first, []):
            self._imported(label, name, *target, rest)
        if first not in source["definitions"] and first not in source["imports"]:
            if locate(f"{module}.{first}"):
                self.todo.append((f"{module}.{first}", rest))
            else:
                self.todo += [(star, name) for star in source["stars"]]

    def _take(self, module: str, name: str, definition: syntax.Definition, source: syntax.Source) -> None:
        label = f"{module}:{name}"
        if label in self.code.definitions:
            return
        self.code.definitions[label] = definition["digest"]
        for each in definition["modules"]:
            self._run_if_ours(each)
            if not _home(each.partition(".")[0]):
                self._library(each)
        for reference in definition["references"]:
            first, _, rest = reference.partition(".")
            if reference in BLIND and first not in source["definitions"]:
                self._refuse(label, reference)
            if first in definition["imports"]:
                for target in definition["imports"][first]:
                    self._imported(label, reference, *target, rest)
            else:
                self._resolve(module, source, reference, label)

    def _imported(self, label: str, written: str, module: str, attribute: str, rest: str) -> None:
        """``label`` uses ``written``, which is ``module.attribute.rest``."""
        dotted = ".".join(part for part in (module, attribute, rest) if part)
        if dotted in BLIND:
            self._refuse(label, written)
        self.code.imports[f"{label} {dotted}"] = _hash(f"{written} {self._identity(module, attribute, rest)}")
        if attribute and locate(f"{module}.{attribute}"):
            self.todo.append((f"{module}.{attribute}", rest))
        else:
            self.todo.append((module, ".".join(part for part in (attribute, rest) if part)))

    def _identity(self, module: str, attribute: str, rest: str) -> str:
        """What an imported name stands for, whatever our modules are called: the digest of our definition, or
        the dotted name of a library's."""
        if attribute and locate(f"{module}.{attribute}"):
            module, attribute = f"{module}.{attribute}", ""
        names = [part for part in (attribute, *rest.split(".")) if part]
        file = locate(module)
        if file is None:
            return "" if _home(module.partition(".")[0]) else ".".join([module, *names[:1]])
        source = self._read(module, file)
        if not names:
            return _hash(" ".join(sorted(d["digest"] for d in source["definitions"].values())))
        found = source["definitions"].get(names[0])
        return f"{names[0]} {found['digest']}" if found else names[0]

    def _refuse(self, label: str, name: str) -> None:
        raise Unreadable(f"{label} uses {name}, so what it depends on cannot be known; import what it needs by name")

    def _library(self, module: str) -> None:
        top = module.partition(".")[0]
        if top and top not in sys.stdlib_module_names and not _home(top):
            self.code.libraries.setdefault(top, installed_version(top))


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def locate(module: str) -> Path | None:
    """The source file of one of our modules, found without importing anything; None for other people's."""
    top, *rest = module.split(".")
    place = _home(top)
    if place is None or not all(rest):
        return None
    if place.is_file():
        return None if rest else place
    place = Path(place, *rest)
    return next((f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()), None)


@cache
def _home(top: str) -> Path | None:
    """Where a top-level module is written, if by us, that is, anywhere but where packages are installed: its
    file, or the folder of a package."""
    if not top or top in sys.stdlib_module_names or top == "__main__":
        return None
    spec = PathFinder.find_spec(top)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        place = Path(next(iter(spec.submodule_search_locations)))
    elif spec.origin and spec.origin.endswith(".py"):
        place = Path(spec.origin)
    else:
        return None
    return place if top in OURS or not _is_installed(place) else None


def _is_installed(place: Path) -> bool:
    paths = sysconfig.get_paths()
    installed = (paths[kind] for kind in ("purelib", "platlib", "stdlib", "platstdlib"))
    return bool({"site-packages", "dist-packages"} & set(place.parts)) or any(map(place.is_relative_to, installed))


@cache
def installed_version(top: str) -> str:
    """The version of the distribution that brings a top-level module, or :data:`ABSENT`."""
    try:
        return version(DISTRIBUTIONS.get(top, top))
    except PackageNotFoundError:
        names = packages_distributions().get(top)
        return version(names[0]) if names else ABSENT
