"""Make room in the store, without taking what a recipe still stands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from pipeline import locks, runs
from pipeline.store import Record, Store


def removable(store: Store, runs_folder: Path, *, keep: int = 1, size: int | None = None) -> list[Record]:
    """What may go, oldest first.

    Args:
        keep: the results of so many last whole runs of each recipe stay, whatever the size; at least 1.
        size: only so much goes that the store holds at most so many bytes; None for no such limit.
    """
    needed = _needed(runs_folder, max(1, keep))
    records = sorted(store.records(), key=lambda record: record.made)
    spare = [record for record in records if record.key not in needed]
    if size is None:
        return spare
    surplus = sum(record.size for record in records) - size
    chosen = []
    for record in spare:
        if surplus <= 0:
            break
        chosen.append(record)
        surplus -= record.size
    return chosen


def _needed(folder: Path, keep: int) -> set[str]:
    """The keys of the last ``keep`` whole runs of each recipe, and of what came after them."""
    needed: set[str] = set()
    for recipe in folder.glob("*/"):
        whole: Counter[str] = Counter()  # by the file of the recipe: two may have one name
        for record in runs.newest_first(folder, recipe.name):
            if whole[record["origin"]] < keep:
                needed |= {step["key"] for step in record["steps"].values()}
                whole[record["origin"]] += bool(record["finished"])
    return needed


@contextmanager
def running(store: Store, waiting: locks.Waiting) -> Iterator[None]:
    """Around a run: nothing is cleaned meanwhile."""
    with ExitStack() as run:
        with locks.held(_gate(store), waiting):
            run.enter_context(locks.held(store.locks / f"run-{uuid4().hex}.lock"))
        yield


@contextmanager
def alone(store: Store, waiting: locks.Waiting) -> Iterator[None]:
    """Around cleaning: waits for the runs under way, and holds back new ones."""
    with locks.held(_gate(store), waiting):
        for run in store.locks.glob("run-*.lock"):
            with locks.held(run, waiting):
                pass
        yield
        for idle in store.locks.iterdir():  # nobody holds any but the gate now
            if idle.stem != _gate(store).stem:
                idle.unlink(missing_ok=True)


def _gate(store: Store) -> Path:
    return store.locks / "clean.lock"
