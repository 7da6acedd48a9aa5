"""What people see while a recipe runs: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    def work(self, what: str, total: int, unit: str, done: int) -> Iterator[Advance]:
        if sys.stdout.isatty():
            with _bar(f"{'':{self._width}}  {what}", total, unit, done) as advance:
                yield advance
        else:
            yield _Lines(lambda text: self._line("", text), what, total, unit, done).advance

    def _line(self, name: str, text: str) -> None:
        print(f"{name:{self._width}}  {text}", flush=True)


class _Rate:
    """How much is done, and how fast since the work began."""

    def __init__(self, done: int, unit: str) -> None:
        self.done, self._before, self._unit = done, done, unit
        self._begun = time.monotonic()

    def per_second(self) -> float:
        return (self.done - self._before) / max(1e-9, time.monotonic() - self._begun)

    def __str__(self) -> str:
        return f"{self.per_second():,.0f} {self._unit}/s"


class _Lines:
    """A line now and then, for logs."""

    def __init__(self, say: Callable[[str], None], what: str, total: int, unit: str, done: int) -> None:
        self._say, self._what, self._total, self._unit = say, what, total, unit
        self._rate, self._told = _Rate(done, unit), time.monotonic()

    def advance(self, amount: int) -> None:
        self._rate.done += amount
        if time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            done, total, speed = self._rate.done, self._total, self._rate.per_second()
            if total and speed:
                left = f"  {seconds(max(0, total - done) / speed)} left"
                self._say(f"{self._what}  {done:,}/{total:,} {self._unit}  {self._rate}{left}")
            else:
                self._say(f"{self._what}  {done:,} {self._unit}  {self._rate}")


@contextmanager
def _bar(what: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    speed = TextColumn("{task.fields[speed]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(what, total=total or None, completed=done, speed="")
        rate = _Rate(done, unit)

        def advance(amount: int) -> None:
            rate.done += amount
            progress.update(task, advance=amount, speed=str(rate))

        yield advance
