"""What people labelled in Label Studio, out of its full JSON, as its short form JSON-MIN has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flattened(document: Any) -> list[dict[str, Any]] | None:
    """A record of each task: its data, and what its first annotation that was not cancelled says, under the name that the
    project gives it (``from_name``); None if the document is of another form."""
    if not (isinstance(document, list) and document and all(map(_task, document))):
        return None
    return [{**task["data"], **_annotated(task["annotations"])} for task in document]


def _task(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and isinstance(part.get("data"), Mapping)
        and isinstance(part.get("annotations"), list)
    )


def _annotated(annotations: list[Any]) -> dict[str, Any]:
    """Spans as a list of objects; choices as one label, or a list of several."""
    kept = (each for each in annotations if isinstance(each, Mapping) and not each.get("was_cancelled"))
    found: dict[str, Any] = {}
    for result in next(kept, {}).get("result") or []:
        name, value = result.get("from_name"), result.get("value")
        if not (isinstance(name, str) and isinstance(value, Mapping)):
            continue  # a relation of two spans
        if result.get("type") == "labels":
            found.setdefault(name, []).append(value)
        elif isinstance(chosen := value.get("choices"), list):
            found[name] = chosen[0] if len(chosen) == 1 else chosen
    return found
