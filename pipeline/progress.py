"""How a stage tells what it is doing, without knowing who listens.

Silent unless a listener is set: the command line sets one that draws bars or prints lines, and
so can any program that calls stages itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

Advance = Callable[[int], object]


class Listener(Protocol):
    """Who hears what stages tell."""

    def say(self, text: str) -> None:
        """One line that the user should read."""

    def work(self, what: str, total: int, unit: str, done: int) -> AbstractContextManager[Advance]:
        """See :func:`work`."""


class Silence:
    """Nobody listens."""

    def say(self, text: str) -> None: ...

    @contextmanager
    def work(self, what: str, total: int, unit: str, done: int) -> Iterator[Advance]:
        yield lambda done: None


listener: ContextVar[Listener] = ContextVar("listener", default=Silence())  # noqa: B039 (it has no state)


def say(text: str) -> None:
    """One line that the user should read."""
    listener.get().say(text)


def work(what: str, total: int, unit: str = "rows", *, done: int = 0) -> AbstractContextManager[Advance]:
    """Around long work: call what is yielded with how many more units are done.

    Args:
        total: of units; 0 if nobody knows.
        done: of them, before it began.
    """
    return listener.get().work(what, total, unit, done)
