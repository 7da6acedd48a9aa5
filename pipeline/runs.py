"""What each run did, for later runs and reports: ``.store/runs/<recipe>/<when>.json``."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.run import Outcome
from pipeline.step import Step

KEPT = 100  # records a recipe; a run that found everything is worth little


def begin(recipe: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that starts now."""
    return {
        "recipe": recipe,
        "settings": settings,
        "started": time.time(),
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


def add(record: dict[str, Any], step: Step, outcome: Outcome) -> None:
    """Put what became of a step into the record of its run."""
    made = outcome.record
    record["steps"][step.name] = {
        "stage": made.stage,
        "key": made.key,
        "seconds": made.seconds if outcome.why else 0.0,
        "why": outcome.why,
    }
    record["versions"].update(made.dependencies["libraries"])


def end(record: dict[str, Any], folder: Path, *, finished: bool) -> None:
    """Write the record; its name sorts by time."""
    record["finished"] = finished
    record["seconds"] = round(time.time() - record["started"], 3)
    home = folder / record["recipe"]
    home.mkdir(parents=True, exist_ok=True)
    when = time.strftime("%Y%m%dT%H%M%S", time.gmtime(record["started"]))
    file = home / f"{when}-{record['started'] % 1 * 1e6:06.0f}-{os.getpid()}.json"
    scratch = file.with_suffix(".partial")
    scratch.write_text(json.dumps(record, indent=1), encoding="utf-8")
    os.replace(scratch, file)
    for old in sorted(home.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)


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
