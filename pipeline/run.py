"""Bring a step up to date, and say why."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pipeline import locks
from pipeline.artifacts import Artifact
from pipeline.errors import UserError
from pipeline.fingerprint import dependencies, fold, statement
from pipeline.sources import locate
from pipeline.step import Step
from pipeline.store import Damaged, Record, Store


@dataclass(frozen=True)
class Outcome:
    """What became of a step; ``why`` it was made, or nothing if it was found."""

    record: Record
    why: str = ""


class Watcher(Protocol):
    """Who is told what happens."""

    def starting(self, step: Step, why: str) -> None: ...
    def waiting(self, step: Step, holder: str) -> None: ...
    def done(self, step: Step, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Status:
    """How things stand with a step: all it depends on, and its result or why there is none."""

    depends: dict[str, Any]
    record: Record | None
    why: str


class Last:
    """What a miss is compared with: the results of the last run of a recipe."""

    def __init__(self, store: Store, keys: Mapping[str, str] | None) -> None:
        self._store = store
        self._keys = keys  # step name to key
        self._begun = time.time()

    def of(self, step: Step) -> Record | None:
        """The step's last result, if the recipe ever made one; where that is gone, or no recipe is known, the newest of
        its stage, but for those of this very run."""
        stage, known = step.stage.__qualname__, None
        if self._keys is not None:
            if step.name not in self._keys:
                return None
            known = self._store.record(stage, self._keys[step.name])
        return known or self._store.latest(stage, before=self._begun)


def run(
    target: Step,
    store: Store,
    watcher: Watcher,
    *,
    last: Mapping[str, str] | None = None,
    force: Collection[str] = (),
    verify: bool = False,
) -> Iterator[tuple[Step, Outcome]]:
    """Make ``target`` and all it needs, taking from ``store`` what is there; each step as it is done.

    Args:
        last: keys by step name of the run to compare with when saying why; without any, it is the newest results.
        force: names of steps to make again even if their results are there.
        verify: look at every byte of what is found.
    """
    before = Last(store, last)
    done: dict[str, Outcome] = {}
    # Stated before anything is made: the code in memory is that of now, whatever is edited while a long step runs,
    # and what cannot be fingerprinted is refused before it costs time.
    stated = {step: statement(step, store.memo) for step in target.walk()}
    for step in target.walk():
        needs = {name: done[upstream.name].record for name, upstream in step.inputs.items()}
        depends = {**stated[step], "inputs": {name: need.digest for name, need in needs.items()}}
        status = look(step, depends, store, before, verify=verify)
        if status.record is None or step.name in force:
            outcome = _make(step, status, needs, store, watcher, forced=step.name in force, verify=verify)
        else:
            outcome = Outcome(status.record)
        done[step.name] = outcome
        watcher.done(step, outcome)
        yield step, outcome


def look(step: Step, depends: dict[str, Any], store: Store, last: Last, *, verify: bool = False) -> Status:
    """How things stand with ``step``, given all that it depends on; makes nothing."""
    try:
        if record := store.find(depends, verify=verify):
            return Status(depends, record, "")
        why = explain(depends, last.of(step))
    except Damaged as damage:
        why = f"damaged: {damage}"
    return Status(depends, None, why)


def plan(target: Step, store: Store, last: Mapping[str, str]) -> Iterator[tuple[Step, Status | None]]:
    """Each step with how it stands; ``None`` where that depends on a step that has to be made first."""
    before, found = Last(store, last), dict[str, Record]()
    for step in target.walk():
        if any(upstream.name not in found for upstream in step.inputs.values()):
            yield step, None
            continue
        digests = {name: found[upstream.name].digest for name, upstream in step.inputs.items()}
        status = look(step, dependencies(step, digests, store.memo), store, before)
        if status.record:
            found[step.name] = status.record
        yield step, status


def explain(now: Mapping[str, Any], before: Record | None) -> str:
    """Why there is no result: what differs from the last one made."""
    if before is None:
        return "new"
    found = differences(before.dependencies, now)
    if not found:
        return "no longer there"
    return ", ".join(found) if len(found) <= 3 else f"{', '.join(found[:2])} and {len(found) - 2} more changes"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two steps' dependencies, for people: settings first, then data, then code."""
    order = ["settings", "inputs", "libraries", "python", "code", "stage", "scheme"]
    before, now = _module(old), _module(new)
    if before and now and before != now:  # another stage of the same name: all of its code is other
        moved = [line for part in order[:2] for line in _differences(old.get(part), new.get(part), part)]
        return [*moved, f"{before} → {now}"]
    found = [line for part in order for line in _differences(old.get(part), new.get(part), part)]
    # What a name stands for changes with the code it stands for, so it is worth a word only by itself.
    return found or list(_differences(old.get("imports"), new.get("imports"), "imports"))


def _module(depends: Mapping[str, Any]) -> str:
    """Where the stage itself is written, if that can be told."""
    modules = [
        label.partition(":")[0] for label in depends.get("code", {}) if label.endswith(f":{depends.get('stage')}")
    ]
    return modules[0] if len(modules) == 1 else ""


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if fold(old) == fold(new):
        return
    if isinstance(old, dict) and isinstance(new, dict) and not (_is_content(old) or _is_content(new)):
        for name in [*new, *(n for n in old if n not in new)]:
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}")
        return
    part, _, rest = path.partition(".")
    if part == "inputs":
        yield f"{rest} is different"
    elif part in ("code", "imports"):
        yield f"{part} of {rest} {'changed' if old and new else 'is new' if new else 'is gone'}"
    elif isinstance(new, dict) or isinstance(old, dict):
        yield f"{rest or part}: other content"
    else:
        yield f"{rest or part}: {_shown(old)} → {_shown(new)}"


def _is_content(value: dict[str, Any]) -> bool:
    """Whether a setting stands for files: their digests tell people nothing."""
    return value.get("is") in ("content", "mapping") and '"content"' in json.dumps(value)


def _shown(value: Any) -> str:
    text = _written(value)
    return text if len(text) <= 40 else f"{text[:12]}…{text[-12:]}"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_written, value))
    if isinstance(value, dict) and value.get("is") == "code":
        return str(value["name"])
    return "none" if value is None else str(value)


def _make(
    step: Step,
    status: Status,
    needs: Mapping[str, Record],
    store: Store,
    watcher: Watcher,
    *,
    forced: bool,
    verify: bool,
) -> Outcome:
    with locks.held(store.lock(status.depends), partial(watcher.waiting, step)):
        if not forced and (record := _made_meanwhile(store, status.depends, verify)):
            return Outcome(record)
        why = "forced" if forced else status.why
        watcher.starting(step, why)
        artifacts: dict[str, Artifact] = {name: step.takes[name](store.files(need)) for name, need in needs.items()}

        def call(out: Path) -> None:
            _refuse_if_changed(step, status, store, ("settings", "code", "imports"))
            before = set(sys.modules)
            step.stage(step.config, out, **artifacts)
            _refuse_if_changed(step, status, store, ("settings",))
            late = {module for module in set(sys.modules) - before if locate(module)}
            _refuse_if_changed(step, status, store, ("code",), late)

        return Outcome(store.make(status.depends, call), why)


def _refuse_if_changed(
    step: Step, status: Status, store: Store, parts: Sequence[str], modules: Collection[str] | None = None
) -> None:
    """A file that was written to while it was read gives a result of neither its old nor its new content; code that
    was edited after the run began may be in memory in either form.

    Args:
        modules: whose code to look at; all of it if None.
    """
    now = statement(step, store.memo)
    for part in parts:
        old, new = status.depends[part], now[part]
        if modules is not None:
            old, new = ({k: v for k, v in of.items() if k.partition(":")[0] in modules} for of in (old, new))
        if fold(old) != fold(new):
            found = ", ".join(differences({part: old}, {part: new}))
            raise UserError(
                f"{step.name}: what it depends on changed since this run began ({found}); run the same again"
            )


def _made_meanwhile(store: Store, depends: Mapping[str, Any], verify: bool) -> Record | None:
    """The result, if another process made it while this one waited for the lock."""
    try:
        return store.find(depends, verify=verify)
    except Damaged:
        return None
