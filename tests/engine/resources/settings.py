"""Settings of every sort, for a stage that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

from pipeline.artifacts import Artifact
from pipeline.fields import neutral


@dataclass(frozen=True)
class Box:
    value: Any = None
    idle: int = neutral(1)


@dataclass(frozen=True)
class Crate:
    value: Any = None


@dataclass(frozen=True)
class Standing:
    """``place`` counts by ``what``."""

    place: str
    what: Any
    idle: Any = field(default=None, metadata={"neutral": True})

    def depends(self) -> dict[str, Any]:
        return {"place": self.what, "what": None}


class Colour(Enum):
    RED = 1
    ROUGE = "red"


class Level(IntEnum):
    LOW = 1


def plus(x: int) -> int:
    return x + 1


def minus(x: int) -> int:
    return x - 1


def made_inside() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


def local_class() -> type:
    class Local:
        pass

    return Local


def stage_inside() -> Callable[..., Artifact]:
    def inner(config: object, out: Path) -> Artifact:
        return Artifact(out)

    return inner


class Machine:
    def stage(self, config: object, out: Path) -> Artifact:
        return Artifact(out)


def stage(config: object, out: Path) -> Artifact:
    return Artifact(out)
