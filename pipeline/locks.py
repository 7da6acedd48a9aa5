"""Locks between processes that wait, and say for whom."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 0.2  # seconds between looks

Waiting = Callable[[str], object]


@contextmanager
def held(file: Path, waiting: Waiting = lambda holder: None) -> Iterator[None]:
    """Hold the lock ``file``; while somebody else does, wait, and tell ``waiting`` once who it is.

    The operating system lets go of a lock when its holder dies, however it dies.
    """
    from filelock import FileLock, Timeout

    file.parent.mkdir(parents=True, exist_ok=True)
    lock, told = FileLock(file), False
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except Timeout:
            if not told:
                waiting(holder(file))
                told = True
            time.sleep(PATIENCE)
    try:
        _sign(file)
        yield
    finally:
        lock.release()


@contextmanager
def held_if_free(file: Path) -> Iterator[bool]:
    """Hold the lock ``file`` if nobody else does; whether it is held."""
    from filelock import FileLock, Timeout

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def holder(file: Path) -> str:
    """Who holds a lock, for people."""
    try:
        who = json.loads(_signature(file).read_text(encoding="utf-8"))
        return f"process {who['pid']} on {who['host']}, since {who['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def _sign(file: Path) -> None:
    who = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%H:%M:%S")}
    _signature(file).write_text(json.dumps(who), encoding="utf-8")


def _signature(file: Path) -> Path:
    return file.with_suffix(".holder")
