"""What a step's result depends on, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from types import FunctionType
from typing import Any

from pipeline.memo import Memo
from pipeline.sources import code_of
from pipeline.step import Step

SCHEME = 1  # raise to forget every result made so far


class NoFingerprint(TypeError):
    """A setting whose value cannot be told from another's."""


def statement(step: Step, memo: Memo) -> dict[str, Any]:
    """All that ``step`` depends on besides its inputs, as plain JSON.

    Raises:
        NoFingerprint: a setting is of a type that has no stable identity.
        Unreadable: see :func:`pipeline.sources.code_of`.
    """
    stage = step.stage
    if not isinstance(stage, FunctionType) or "<" in stage.__qualname__:
        raise NoFingerprint(f"the stage of {step.name} must be a function at the top of a module")
    plain = _Plain(memo)
    plain.roots.add((stage.__module__, stage.__qualname__))
    settings = plain.value(step.config, type(step.config).__name__)
    code = code_of(sorted(plain.roots), memo)
    return {
        "scheme": SCHEME,
        "stage": stage.__qualname__,
        "settings": settings,
        "code": code.definitions,
        "imports": code.imports,
        "libraries": code.libraries,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def dependencies(step: Step, digests: Mapping[str, str], memo: Memo) -> dict[str, Any]:
    """All that ``step`` depends on: its :func:`statement`, and the digests of its inputs' content."""
    return {**statement(step, memo), "inputs": dict(digests)}


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


class _Plain:
    """Turns settings into JSON that tells different values apart; code they refer to joins ``roots``."""

    def __init__(self, memo: Memo) -> None:
        self.memo = memo
        self.roots: set[tuple[str, str]] = set()

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
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
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
        return name
