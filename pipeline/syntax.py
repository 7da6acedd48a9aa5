"""What one source file defines, and what each definition refers to: read, never run.

A *definition* is a top-level function, class or assignment.  Its digest is that of its syntax
tree without docstrings, so comments and layout are free.  Its *references* are the names it
mentions, dotted as written (``np.asarray``, ``Corpus``), a superset of what it can reach.
Everything is plain JSON, to be remembered between runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypedDict

FORM = 2  # raise when what is read off changes, so that nothing remembered in the old form is used

Imports = dict[str, list[tuple[str, str]]]  # local name: (module, attribute) pairs, attribute "" for the module itself

# Decorators that do nothing but make what they decorate; any other may register it somewhere.
PURE = {
    "dataclass", "dataclasses.dataclass", "cache", "functools.cache", "lru_cache", "functools.lru_cache", "overload",
    "contextmanager", "contextlib.contextmanager", "total_ordering", "functools.total_ordering", "runtime_checkable", "final",
}  # fmt: skip


class Definition(TypedDict):
    """One top-level function, class or assignment."""

    digest: str
    references: list[str]
    imports: Imports  # made inside it
    modules: list[str]  # that these imports run


class Source(TypedDict):
    """A module, taken apart."""

    definitions: dict[str, Definition]
    effects: Definition  # what runs when the module is imported, all together
    imports: Imports
    modules: list[str]
    stars: list[str]  # modules imported from with *


def read(file: Path, module: str) -> Source:
    """Take the module in ``file`` apart."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(file.read_bytes(), filename=str(file))
    found: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt] = []
    imports: list[ast.stmt] = []
    for statement in _at_run_time(tree.body):
        names = _bound(statement)
        for name in names:
            found.setdefault(name, []).append(statement)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports.append(statement)
        elif not _is_text(statement) and (not names or _may_register(statement)):
            effects.append(statement)
    whole = _definition([*imports, *effects], package)  # imports inside if and try are the module's as well
    return {
        "definitions": {name: _definition(parts, package) for name, parts in found.items()},
        "effects": _definition(effects, package),
        "imports": whole["imports"],
        "modules": whole["modules"],
        "stars": [star for s in imports for star in _stars(s, package)],
    }


def _definition(parts: list[ast.stmt], package: str) -> Definition:
    imports: Imports = {}
    modules: set[str] = set()
    references: set[str] = set()
    total = blake2b(digest_size=16)
    for part in parts:
        for node in _walk(part):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name, target in _imports(node, package):
                    imports.setdefault(name, []).append(target)
                modules.update(_modules(node, package))
            elif chain := _chain(node):
                references.add(chain)
        total.update(ast.dump(_bare(part)).encode())
    return {
        "digest": total.hexdigest() if parts else "",
        "references": sorted(references),
        "imports": imports,
        "modules": sorted(modules),
    }


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Like ``ast.walk``, but a dotted name comes once and whole, and what is for types only never."""
    yield node
    if not _chain(node):
        for child in ast.iter_child_nodes(node):
            for each in _at_run_time([child]):
                yield from _walk(each)


def _at_run_time(nodes: Iterable[ast.AST]) -> Iterator[Any]:
    """``nodes`` without the part of an ``if TYPE_CHECKING`` that never runs."""
    for node in nodes:
        if isinstance(node, ast.If) and _chain(node.test).endswith("TYPE_CHECKING"):
            yield from _at_run_time(node.orelse)
        else:
            yield node


def _chain(node: ast.AST) -> str:
    """``a.b.c`` for such an expression, otherwise nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each local name with the module and attribute that it stands for."""
    if isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        yield from ((a.asname or a.name, (base, a.name)) for a in node.names if a.name != "*")
    else:
        for a in node.names:
            top = a.name.partition(".")[0]
            yield (a.asname, (a.name, "")) if a.asname else (top, (top, ""))


def _modules(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Every module that the import may run."""
    if isinstance(node, ast.Import):
        yield from (a.name for a in node.names)
    else:
        base = _absolute(node, package)
        yield base
        yield from (f"{base}.{a.name}" for a in node.names if a.name != "*")


def _stars(node: ast.stmt, package: str) -> list[str]:
    star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    return [_absolute(node, package)] if star and isinstance(node, ast.ImportFrom) else []


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parent = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a plain definition binds; nothing for a statement with effects."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            names = [t for target in targets for t in ast.walk(target) if isinstance(t, ast.expr)]
            plain = all(isinstance(n, ast.Name | ast.Tuple | ast.List | ast.Starred) for n in names)
            return [n.id for n in names if isinstance(n, ast.Name)] if plain else []
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _may_register(statement: ast.stmt) -> bool:
    """Whether a definition has a decorator that may do more than decorate."""
    decorators = getattr(statement, "decorator_list", [])
    return any(_chain(d.func if isinstance(d, ast.Call) else d) not in PURE for d in decorators)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _bare(tree: ast.stmt) -> ast.stmt:
    """The statement without docstrings and other bare strings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not _is_text(s)]  # type: ignore[attr-defined]
    return tree
