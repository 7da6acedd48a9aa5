"""Bring a step up to date, and say why."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pipeline import locks
from pipeline.artifacts import Artifact
from pipeline.differences import differences, explain
from pipeline.errors import UserError
from pipeline.fingerprint import dependencies, fold, statement
from pipeline.sources import Code, locate
from pipeline.step import Step, WiringError
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
    codes: Mapping[str, Code] | None = None,
    force: Collection[str] = (),
    verify: bool = False,
) -> Iterator[tuple[Step, Outcome]]:
    """Make ``target`` and all it needs, taking from ``store`` what is there; each step as it is done.

    Args:
        last: keys by step name of the run to compare with when saying why; without any, it is the newest results.
        codes: of each step, by name, the code that is in memory; without any, it is taken to be that on disk.
        force: names of steps to make again even if their results are there.
        verify: look at every byte of what is found.
    """
    before = Last(store, last)
    done: dict[str, Outcome] = {}
    # Stated before anything is made: the code in memory is that of now, whatever is edited while a long step runs,
    # and what cannot be fingerprinted is refused before it costs time.
    stated = {step: statement(step, store.memo, (codes or {}).get(step.name)) for step in target.walk()}
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
        record = store.find(depends, verify=verify)
    except Damaged as damage:
        return Status(depends, None, f"damaged: {damage}")
    if record and _undone(step, record, store):
        return Status(depends, None, "another result has taken its place outside")
    return Status(depends, record, "" if record else explain(depends, last.of(step)))


def _undone(step: Step, record: Record, store: Store) -> bool:
    """Whether a later result of this stage did away with what this one did outside the store: settings that know have a
    method ``undone_by``, which is asked about the settings of others."""
    if not hasattr(step.config, "undone_by"):
        return False
    later = (other for other in store.records(record.stage) if other.made > record.made)
    return any(step.config.undone_by(other.dependencies["settings"]) for other in later)


def plan(
    target: Step, store: Store, last: Mapping[str, str], codes: Mapping[str, Code]
) -> Iterator[tuple[Step, Status | None]]:
    """Each step with how it stands; ``None`` where that depends on a step that has to be made first.

    Args:
        last, codes: see :func:`run`.
    """
    before, found = Last(store, last), dict[str, Record]()
    for step in target.walk():
        if any(upstream.name not in found for upstream in step.inputs.values()):
            yield step, None
            continue
        digests = {name: found[upstream.name].digest for name, upstream in step.inputs.items()}
        status = look(step, dependencies(step, digests, store.memo, codes.get(step.name)), store, before)
        if status.record:
            found[step.name] = status.record
        yield step, status


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
        if not forced and (record := _made_meanwhile(step, store, status.depends, verify)):
            return Outcome(record)
        why = "forced" if forced else status.why
        watcher.starting(step, why)
        artifacts: dict[str, Artifact] = {name: step.takes[name](store.files(need)) for name, need in needs.items()}

        def call(out: Path) -> None:
            _refuse_if_changed(step, status, store, ("settings", "code", "imports"))
            before = set(sys.modules)
            _refuse_another(step, step.stage(step.config, out, **artifacts), out)
            _refuse_if_remade(step, needs, store)
            _refuse_if_changed(step, status, store, ("settings",))
            late = {module for module in set(sys.modules) - before if locate(module)}
            _refuse_if_changed(step, status, store, ("code",), late)

        return Outcome(store.make(status.depends, call), why)


def _refuse_another(step: Step, made: object, out: Path) -> None:
    """A stage that returns something else may have written elsewhere, or forgotten to write: what is kept is ``out``."""
    kind = step.makes.__name__
    if not isinstance(made, step.makes):
        given = "nothing" if made is None else f"a {type(made).__name__}"
        raise WiringError(f"{step.name} returns {given}, where it says {kind}; end it with return {kind}(out)")
    if made.path.resolve() != out.resolve():
        raise WiringError(
            f"{step.name} returns a {kind} in {made.path}, not in the folder that it was given; write into out, and "
            f"return {kind}(out)"
        )


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


def _refuse_if_remade(step: Step, needs: Mapping[str, Record], store: Store) -> None:
    """What another process put in the place of an input meanwhile need not be what the key says that it was made of."""
    for name, need in needs.items():
        now = store.record(need.stage, need.key)
        if now is None or now.digest != need.digest:
            raise UserError(f"{step.name}: {name} was made again by another run meanwhile; run the same again")


def _made_meanwhile(step: Step, store: Store, depends: Mapping[str, Any], verify: bool) -> Record | None:
    """The result, if another process made it while this one waited for the lock."""
    try:
        record = store.find(depends, verify=verify)
    except Damaged:
        return None
    return None if record and _undone(step, record, store) else record
