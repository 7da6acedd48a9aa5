"""What each run did, for later runs and reports: ``.store/runs/<recipe>/<when>.json``."""

from __future__ import annotations

import calendar
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import durable
from pipeline.run import Outcome
from pipeline.step import Step

SECOND = "%Y%m%dT%H%M%S"
LONG = "20260101T000000-000000"  # of which length the time in a name is
KEPT = 100  # records a recipe; a run that found everything is worth little


class Run:
    """The record of a run under way, written at its start and after every step: a killed run leaves one too."""

    def __init__(self, folder: Path, recipe: str, origin: str, settings: dict[str, Any]) -> None:
        self.before = last_keys(folder, recipe)  # what to compare with when saying why
        now = time.time()
        self._file = folder / recipe / f"{_moment(folder / recipe, now)}-{os.getpid()}.json"
        self._facts: dict[str, Any] = {
            "recipe": recipe,
            "origin": origin,
            "settings": settings,
            "started": now,
            "finished": False,
            "steps": {},
            "versions": {"python": platform.python_version()},
            "host": {
                "system": platform.system(),
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "command": sys.argv[1:],
            },
        }
        self._write()

    def add(self, step: Step, outcome: Outcome) -> None:
        """Put down what became of a step."""
        made = outcome.record
        self._facts["steps"][step.name] = {
            "stage": made.stage,
            "key": made.key,
            "seconds": made.seconds if outcome.why else 0.0,
            "why": outcome.why,
        }
        self._facts["versions"].update(made.dependencies["libraries"])
        self._write()

    def end(self) -> None:
        """Put down that it came to its end, and forget the oldest runs."""
        self._facts["finished"] = True
        self._write()
        for old in sorted(self._file.parent.glob("*.json"))[:-KEPT]:
            old.unlink(missing_ok=True)

    def _write(self) -> None:
        self._facts["seconds"] = round(time.time() - self._facts["started"], 3)
        durable.write(self._file, json.dumps(self._facts, indent=1))


def _moment(folder: Path, now: float) -> str:
    """A name that sorts by time, and behind all that are there, whatever was done to the clock."""
    before = max((file.name[: len(LONG)] for file in folder.glob("*.json")), default="")
    when = time.strftime(SECOND, time.gmtime(now)) + f"-{min(999_999, int(now % 1 * 1e6)):06}"
    if when > before:
        return when
    try:
        then = calendar.timegm(time.strptime(before[:-7], SECOND))
    except ValueError:
        return when
    return time.strftime(SECOND, time.gmtime(then + 1)) + "-000000"


def newest_first(folder: Path, recipe: str) -> Iterator[dict[str, Any]]:
    """The records of a recipe's runs that can be read."""
    for file in sorted((folder / recipe).glob("*.json"), reverse=True):
        try:
            yield json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue


def last_keys(folder: Path, recipe: str) -> dict[str, str]:
    """The last key of every step of a recipe, from as many runs as it takes: a run may have stopped early."""
    keys: dict[str, str] = {}
    for record in newest_first(folder, recipe):
        for name, step in record["steps"].items():
            keys.setdefault(name, step["key"])
        if record["finished"]:
            break
    return keys
