"""What each command does."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import clean as cleaning
from pipeline import locks, pins, recipes, results, runs
from pipeline import run as running
from pipeline.config import changes, explanations, override, settings, written
from pipeline.console import Console, seconds
from pipeline.differences import differences
from pipeline.errors import UserError, nearest
from pipeline.fingerprint import code, statement
from pipeline.progress import listener
from pipeline.sources import Code
from pipeline.step import Step
from pipeline.store import Store

SUMMARY = 4  # scores printed at the end, the first of a split; scores.json has all
SETTING = 45  # columns for a setting; what it means stands behind
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def home() -> Path:
    """Where ``.store/`` and ``results/`` are: here, or where PIPELINE_HOME says."""
    return Path(os.environ.get("PIPELINE_HOME") or ".")


def _store() -> Store:
    """The store, in a folder that is there."""
    place = home() / ".store"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise UserError(
            f"PIPELINE_HOME={place.parent!s:.300}: there can be no .store in it ({error.strerror}); name a folder that "
            "this user can write into"
        ) from None
    return Store(place)


def list_recipes() -> None:
    """A line a recipe."""
    found = list(recipes.summaries())
    width = max((len(name) for name, _ in found), default=0)
    for name, summary in found:
        print(f"{name:{width}}  {summary}")


def show(recipe: str, assignments: Sequence[str], file: Path | None) -> None:
    """Every setting with its value and meaning; those that were changed are marked."""
    default = recipes.load(recipe).Config()
    config = override(default, assignments, file)
    before, texts = dict(settings(default)), dict(explanations(config))
    for path, value in settings(config):
        mark = "*" if value != before.get(path) else " "
        line = f"{mark} {path}={written(value)}"
        gap = "\n" + " " * SETTING if len(line) >= SETTING else " " * (SETTING - len(line))
        print(f"{line}{gap}{texts[path].replace(chr(10), ' ')}")


def plan(recipe: str, assignments: Sequence[str], file: Path | None) -> None:
    """What a run would do with each step, and why; nothing is made."""
    store = _store()
    target, _, codes = _target(recipe, assignments, file, store)
    last = runs.last_keys(_runs(store), recipes.title(recipe))
    width, found = _width(target.walk()), set()
    for step, status in running.plan(target, store, last, codes):
        if status is None:
            text = f"waits for {', '.join(s.name for s in step.inputs.values() if s not in found)}"
        elif status.record:
            found.add(step)
            text = f"{status.record.key[:8]}  found"
        else:
            text = f"to be made: {status.why}"
        print(f"{step.name:{width}}  {text}")
    store.memo.save()


def run(
    recipe: str,
    assignments: Sequence[str],
    file: Path | None,
    *,
    until: str,
    force: Sequence[str],
    verify: bool,
    newer: bool,
) -> None:
    """Bring a recipe up to date, record the run, and lay out its results."""
    begun = time.perf_counter()
    store, title = _store(), recipes.title(recipe)
    target, config, codes = _target(recipe, assignments, file, store, newer=newer)
    goal = _known(until, target) if until else target
    for name in force:
        _known(name, goal)
    shown, origin = home() / "results" / title, recipes.origin(recipe)
    if goal is target and (other := results.other_owner(shown, origin)):
        print(f"{shown} holds the results of {other}; these take their place, and the store keeps both")
    console = Console(_width(goal.walk()))
    listener.set(console)
    _preflight(goal, store, codes)
    _die_like_ctrl_c()
    record = runs.Run(_runs(store), title, origin, {path: written(value) for path, value in settings(config)})
    with cleaning.running(store, lambda who: print(f"waiting for {who}, which is starting or cleaning", flush=True)):
        outcomes = _bring_up_to_date(goal, store, console, record, codes=codes, force=force, verify=verify)
        if goal is target:
            with locks.held(store.locks / f"results-{title}.lock"):
                results.lay_out(outcomes, store, shown, origin, changes(config, type(config)()))
            record.end()
    store.memo.save()
    if goal is target:
        _summary(shown)
    else:
        print(f"{until} is in {store.files(outcomes[goal].record)}")
    print(f"{until or title} is up to date ({seconds(time.perf_counter() - begun)})")


def _bring_up_to_date(
    goal: Step,
    store: Store,
    console: Console,
    record: runs.Run,
    *,
    codes: Mapping[str, Code],
    force: Sequence[str],
    verify: bool,
) -> dict[Step, running.Outcome]:
    """Run ``goal``; whatever ends it, what was done is on record and what was learnt of files is kept."""
    store.sweep()
    outcomes = {}
    try:
        for step, outcome in running.run(
            goal, store, console, last=record.before, codes=codes, force=force, verify=verify
        ):
            outcomes[step] = outcome
            record.add(step, outcome)
    finally:
        store.memo.save()
    return outcomes


def _die_like_ctrl_c() -> None:
    """Let a polite request to end, or a closed terminal, be what Ctrl-C is."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


def why(recipe: str, name: str, assignments: Sequence[str], file: Path | None) -> None:
    """All that a step depends on, as JSON, after what differs from its last result."""
    store = _store()
    target, _, codes = _target(recipe, assignments, file, store)
    step = _known(name, target)
    last = runs.last_keys(_runs(store), recipes.title(recipe))
    *_, (_, status) = running.plan(step, store, last, codes)
    depends = status.depends if status else {**statement(step, store.memo, codes[name]), "inputs": "to be made first"}
    before = running.Last(store, last).of(step)
    old = {part: before.dependencies[part] for part in depends if status or part != "inputs"} if before else {}
    print(f"{name}: {('found' if status.record else status.why) if status else 'its inputs have to be made first'}")
    for line in differences(old, {part: depends[part] for part in old}):
        print(f"  since the last result: {line}")
    print(json.dumps(depends, indent=1, ensure_ascii=False))
    store.memo.save()


def clean(keep: int, size: str | None, *, dry_run: bool) -> None:
    """Delete what no recipe\'s last runs need."""
    if keep < 1:
        raise UserError(f"--keep {keep}: the last run of each recipe always stays; 1 is the least")
    limit = None if size is None else _bytes(size)
    store = _store()
    with cleaning.alone(store, lambda who: print(f"waiting for {who}, which is running", flush=True)):
        chosen = cleaning.removable(store, _runs(store), keep=keep, size=limit)
        for entry in store.broken():
            print(f"{entry.parent.name}/{entry.name[:8]}  damaged")
            if not dry_run:
                store.discard(entry)
        for record in chosen:
            print(f"{record.stage}/{record.key[:8]}  {record.size / 1e6:,.1f} MB")
            if not dry_run:
                store.remove(record)
        if not dry_run:
            store.sweep()
    total = f"{sum(record.size for record in chosen) / 1e6:,.1f} MB"
    print(f"{total} would be freed" if dry_run else f"{total} freed")


def _target(
    recipe: str, assignments: Sequence[str], file: Path | None, store: Store, *, newer: bool = False
) -> tuple[Step, Any, dict[str, Code]]:
    """What a recipe comes to, its settings, and the code of each step as it was when it was loaded: what comes next may
    wait for long, for the Hub or for another run."""
    module = recipes.load(recipe)
    config = override(module.Config(), assignments, file)
    steps = recipes.planned(recipe, module, config).walk()
    codes = {step.name: code(step, store.memo) for step in steps}
    listener.set(Console(0))  # what is said of the Hub, before there are steps
    config = pins.pin(config, home() / ".store" / "pins.json", newer=newer)
    return recipes.planned(recipe, module, config), config, codes


def _preflight(target: Step, store: Store, codes: Mapping[str, Code]) -> None:
    """Let settings that know how make sure, before anything is made, that their step can succeed at all."""
    if any(hasattr(step.config, "preflight") for step in target.walk()):
        for step, status in running.plan(target, store, {}, codes):
            if hasattr(step.config, "preflight") and (status is None or status.record is None):
                step.config.preflight()


def _runs(store: Store) -> Path:
    return store.root / "runs"


def _width(steps: Sequence[Step]) -> int:
    return max(len(step.name) for step in steps)


def _known(name: str, target: Step) -> Step:
    """The step of this name among those that ``target`` needs."""
    steps = {step.name: step for step in target.walk()}
    if name not in steps:
        raise UserError(f"no step {name!r}; {nearest(name, steps)}")
    return steps[name]


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise UserError(f"--size {text}: expected a number with a unit, such as 5GB or 500MB")
    return int(float(match[1]) * UNITS[(match[2] or "").upper()])


def _summary(folder: Path) -> None:
    """The scores and where everything is."""
    scores = folder / "scores.json"
    if scores.is_file():
        for split, values in json.loads(scores.read_text(encoding="utf-8")).items():
            numbers = "  ".join(f"{name} {value:.4f}" for name, value in list(values.items())[:SUMMARY])
            print(f"{split}: {numbers}")
    names = sorted(p.name + "/" * p.is_dir() for p in folder.iterdir() if not p.name.startswith("."))
    print(f"{folder}: {', '.join(names)}")
