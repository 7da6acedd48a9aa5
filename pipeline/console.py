"""What people see while a recipe runs: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.progress import Advance
from pipeline.run import Outcome
from pipeline.step import Step

EVERY = 10.0  # seconds between plain lines


def seconds(amount: float) -> str:
    """A duration for people: ``0.4 s``, ``3 min 20 s``."""
    if amount < 60:
        return f"{amount:.1f} s"
    minutes, rest = divmod(round(amount), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


class Console:
    """Watches a run and listens to its stages; imports nothing heavy until something is made."""

    def __init__(self, width: int) -> None:
        self._width = width  # of the longest step name

    def starting(self, step: Step, why: str) -> None:
        self._line(step.name, f"making: {why}")

    def waiting(self, step: Step, holder: str) -> None:
        self._line(step.name, f"waiting for {holder}, which is making it")

    def done(self, step: Step, outcome: Outcome) -> None:
        made = f"made in {seconds(outcome.record.seconds)}" if outcome.why else "found"
        self._line(step.name, f"{outcome.record.key[:8]}  {made}")

    def say(self, text: str) -> None:
        self._line("", text)

    @contextmanager
    def work(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        if sys.stdout.isatty():
            with _bar(f"{'':{self._width}}  {what}", total, unit) as advance:
                yield advance
        else:
            yield _Lines(lambda text: self._line("", text), what, total, unit).advance

    def _line(self, name: str, text: str) -> None:
        print(f"{name:{self._width}}  {text}", flush=True)


class _Lines:
    """A line now and then, for logs."""

    def __init__(self, say: Any, what: str, total: int, unit: str) -> None:
        self.say, self.what, self.total, self.unit = say, what, total, unit
        self.done, self.begun = 0, time.monotonic()
        self.told = self.begun

    def advance(self, amount: int) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.told >= EVERY:
            self.told = now
            rate = self.done / (now - self.begun)
            left = seconds(max(0, self.total - self.done) / rate)
            self.say(f"{self.what}  {self.done:,}/{self.total:,} {self.unit}  {rate:,.0f} {self.unit}/s  {left} left")


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    speed = TextColumn("{task.fields[speed]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(what, total=total, speed="")
        begun, done = time.monotonic(), 0

        def advance(amount: int) -> None:
            nonlocal done
            done += amount
            rate = done / max(1e-9, time.monotonic() - begun)
            progress.update(task, advance=amount, speed=f"{rate:,.0f} {unit}/s")

        yield advance
