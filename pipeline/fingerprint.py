"""What a step's result depends on, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from types import FunctionType
from typing import Any

from pipeline.memo import Memo
from pipeline.sources import Code, code_of
from pipeline.step import Step

SCHEME = 1  # raise to forget every result made so far


class NoFingerprint(TypeError):
    """A setting whose value cannot be told from another's."""


def statement(step: Step, memo: Memo, code: Code | None = None) -> dict[str, Any]:
    """All that ``step`` depends on besides its inputs, as plain JSON.

    Args:
        code: what :func:`code` said of the step when its code was loaded; read now if None.

    Raises:
        NoFingerprint: a setting is of a type that has no stable identity.
        Unreadable: see :func:`pipeline.sources.code_of`.
    """
    settings, roots = _settled(step, memo)
    code = code or code_of(sorted(roots), memo)
    return {
        "scheme": SCHEME,
        "stage": step.stage.__qualname__,
        "settings": settings,
        "code": code.definitions,
        "imports": code.imports,
        "libraries": code.libraries,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def code(step: Step, memo: Memo) -> Code:
    """The code that ``step`` can reach, as it stands on disk now; errors are those of :func:`statement`."""
    return code_of(sorted(_settled(step, memo)[1]), memo)


def _settled(step: Step, memo: Memo) -> tuple[Any, set[tuple[str, str]]]:
    """The settings of a step as JSON, and the names of the code that it and they begin with."""
    stage = step.stage
    if not isinstance(stage, FunctionType) or "<" in stage.__qualname__:
        raise NoFingerprint(f"the stage of {step.name} must be a function at the top of a module")
    plain = _Plain(memo)
    settings = plain.value(step.config, type(step.config).__name__)
    if plain.shared:  # two of one name, which has to be told from the other
        plain = _Plain(memo, whole=plain.shared)
        settings = plain.value(step.config, type(step.config).__name__)
    return settings, {(stage.__module__, stage.__qualname__), *plain.roots}


def dependencies(step: Step, digests: Mapping[str, str], memo: Memo, code: Code | None = None) -> dict[str, Any]:
    """All that ``step`` depends on: its :func:`statement`, and the digests of its inputs' content."""
    return {**statement(step, memo, code), "inputs": dict(digests)}


def key(dependencies: Mapping[str, Any]) -> str:
    """The name of the result.  What modules are called is left out: a moved or renamed module is the same code."""
    modules: dict[str, list[list[str]]] = {}
    for part in ("code", "imports"):
        for label, digest in dependencies.get(part, {}).items():
            module, _, name = label.partition(":")
            modules.setdefault(module, []).append([part, name.partition(" ")[0], digest])
    return fold({**dependencies, "code": sorted(fold(sorted(parts)) for parts in modules.values()), "imports": None})


def fold(value: Any) -> str:
    """The BLAKE2b digest (128 bits, hexadecimal) of a JSON value; ``1``, ``"1"``, ``true`` and ``1.0`` differ."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _files(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """All files below a folder, those in linked folders too, but no folder within itself."""
    real = folder.resolve()
    if real in above:
        return
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, above | {real})
        elif each.is_file():
            yield each


class _Plain:
    """Turns settings into JSON that tells different values apart; code they refer to joins ``roots``."""

    def __init__(self, memo: Memo, whole: Collection[str] = ()) -> None:
        self.memo = memo
        self.roots: set[tuple[str, str]] = set()
        self._whole = whole  # names that are put down with their module
        self._modules: dict[str, set[str]] = {}

    @property
    def shared(self) -> set[str]:
        """Names that code of more than one module goes by."""
        return {name for name, modules in self._modules.items() if len(modules) > 1}

    def value(self, value: Any, where: str) -> Any:
        if isinstance(value, Enum):
            return {"is": self._code(type(value), where), "name": value.name}
        if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if isinstance(value, Path):
            return {"is": "content", "digest": self.content(value, where)}
        if isinstance(value, list | tuple):
            return [self.value(item, f"{where}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
            return {"is": "mapping", "of": {name: self.value(v, f"{where}.{name}") for name, v in value.items()}}
        if isinstance(value, FunctionType | type):
            return {"is": "code", "name": self._code(value, where)}
        if dataclasses.is_dataclass(value):
            return {"is": self._code(type(value), where), **self._fields(value, where)}
        raise NoFingerprint(
            f"{where} = {value!r} has no fingerprint, being of type {type(value).__name__}; "
            "use plain values, paths, functions or dataclasses"
        )

    def content(self, path: Path, where: str) -> str:
        """The digest of a file's bytes, or of a folder's relative names, sizes and bytes."""
        if path.is_file():
            return self.memo.digest(path)
        if not path.is_dir():
            raise NoFingerprint(f"{where} = {path}: there is no such file or folder")
        total = blake2b(digest_size=16)
        for file in sorted(_files(path, frozenset())):
            name = file.relative_to(path).as_posix()
            total.update(f"{len(name)}:{name}:{file.stat().st_size}:{self.memo.digest(file)};".encode())
        return total.hexdigest()

    def _fields(self, value: Any, where: str) -> dict[str, Any]:
        """A settings class with a method ``depends`` says itself what stands for some of its fields."""
        stands = value.depends() if hasattr(value, "depends") else {}
        return {
            f.name: self.value(stands.get(f.name, getattr(value, f.name)), f"{where}.{f.name}")
            for f in dataclasses.fields(value)
            if not f.metadata.get("neutral")
        }

    def _code(self, thing: Any, where: str) -> str:
        if "<" in thing.__qualname__:
            raise NoFingerprint(f"{where} has no fingerprint: {thing.__qualname__} is not at the top of a module")
        self.roots.add((thing.__module__, thing.__qualname__.partition(".")[0]))
        name: str = thing.__qualname__
        self._modules.setdefault(name, set()).add(thing.__module__)
        return f"{thing.__module__}:{name}" if name in self._whole else name
