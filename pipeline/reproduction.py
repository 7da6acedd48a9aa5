"""The command that makes a result again, without a path of this machine in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config import written
from pipeline.corpora.source import Source
from pipeline.stages.fetch import Checkpoint

LEFT_OUT = ("publication",)  # where a result goes is no part of it
MEANINGS = {"DATA": "the file or folder that it was trained on", "MODEL": "the folder of the base model"}
PATHS = ("/", "~", "./", "../")  # how text begins that is one


def command(config: Any) -> tuple[tuple[str, ...], dict[str, str]]:
    """The recipe of some settings, and those that differ from its defaults, as they are typed; and what the names in them
    stand for that are there instead of paths.

    Nothing, if the recipe has no defaults.  Numbers that change no result, such as of texts at once, are left out.
    """
    try:
        default = type(config)()
    except TypeError:
        return (), {}
    changed = list(_changed(config, default, ""))
    places = {place: meaning for _, place, meaning in changed if meaning}
    return (_recipe(type(config)), *(f"{path}={value}" for path, value, _ in changed)), places


def _recipe(kind: type) -> str:
    """What is typed for the recipe whose settings are of this class."""
    package, _, name = kind.__module__.rpartition(".")
    return name if package == "recipes" else f"{name}.py"


def _changed(config: Any, default: Any, group: str) -> Iterator[tuple[str, str, str]]:
    """Dotted path and value of each; and what it stands for, if it is a name for a path."""
    for field in dataclasses.fields(config):
        value, before = getattr(config, field.name), getattr(default, field.name, None)
        path = f"{group}.{field.name}".lstrip(".")
        idle = field.metadata.get("neutral") and not isinstance(
            value, str
        )  # text names a column, without which none is found
        if idle or path in LEFT_OUT or value == before:
            continue
        if dataclasses.is_dataclass(value):
            yield from _changed(value, before, path)
        elif name := _place(config, field.name):
            above = [*group.split(".")[:-1], name]
            yield path, "_".join(above).upper(), MEANINGS[name]
        elif isinstance(value, Path) or (isinstance(value, str) and value.startswith(PATHS)):
            yield path, field.name.upper(), f"the path for `{path}`"
        else:
            yield path, written(value), ""


def _place(config: Any, field: str) -> str:
    """The name for what lies on this machine; empty if it does not."""
    if field == "source" and isinstance(config, Source) and not config.remote:
        return "DATA"
    return "MODEL" if field == "model" and isinstance(config, Checkpoint) and config.folder else ""
