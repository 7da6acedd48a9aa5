"""Why there is no result: what a step depends on now, beside what its last result was made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.fingerprint import fold
from pipeline.store import Record


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
