"""Trouble: a stage between two good ones that waits or fails, as the environment says."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import Artifact
from pipeline.errors import CheckFailed, UserError
from pipeline.step import Step


class Piece(Artifact):
    """``piece.txt``."""

    shown = ("piece.txt",)


@dataclass(frozen=True)
class Config:
    word: str = "ore"
    """what it is made of"""


def plan(config: Config) -> Step:
    mined = Step(mine, config)
    smelted = Step(smelt, config, ore=mined)
    return Step(cast, config, metal=smelted)


def mine(config: Config, out: Path) -> Piece:
    return _piece(out, config.word)


def smelt(config: Config, out: Path, *, ore: Piece) -> Piece:
    before = (out / ".resume" / "state.txt").exists()
    trouble, signals = os.environ.get("TROUBLE", ""), Path(os.environ.get("SIGNALS", "."))
    if "resume" in trouble:
        (out / ".resume").mkdir(exist_ok=True)
        (out / ".resume" / "state.txt").write_text("half way", encoding="utf-8")
    if "wait" in trouble:
        (out / "half.txt").write_text("half done", encoding="utf-8")
        (signals / f"{os.getpid()}.started").touch()
        while not (signals / "go").exists():
            time.sleep(0.01)
    if "raise" in trouble:
        raise RuntimeError("the furnace is cold")
    if "full" in trouble:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out / "slag"))
    if "refuse" in trouble:
        raise UserError("the ore is stone; mine elsewhere")
    if "check" in trouble:
        raise CheckFailed("the metal is brittle")
    return _piece(out, f"{ore.path.joinpath('piece.txt').read_text(encoding='utf-8')}, {before=}")


def cast(config: Config, out: Path, *, metal: Piece) -> Piece:
    return _piece(out, f"cast {metal.path.joinpath('piece.txt').read_text(encoding='utf-8')}")


def _piece(out: Path, text: str) -> Piece:
    (out / "piece.txt").write_text(text, encoding="utf-8")
    return Piece(out)
