"""``python -m pipeline.backends``: what each backend can do, as the table in docs/backends.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from typing import Any, get_args, get_type_hints

from pipeline import backends
from pipeline.backends import Training, classical

DEVICES = {
    "pytorch": "CPU; GPUs of CUDA, ROCm, XPU and MPS",
    "tensorflow": "CPU; GPUs of CUDA, with `pip install tensorflow[and-cuda]`",
}


def table() -> Iterator[str]:
    """The lines of a Markdown table, a column a backend."""
    names = get_args(backends.Name)
    yield "| | " + " | ".join(f"`backend={name}`" for name in names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for what, cell in ROWS.items():
        yield f"| {what} | " + " | ".join(cell(name) for name in names) + " |"


def _kinds(name: Any) -> str:
    found = [kind for kind in import_module(f"pipeline.backends.{name}").KINDS if kind not in classical.TYPES]
    return ", ".join(found) or "every one that transformers has the task's head for"


def _heads(name: Any) -> str:
    return ", ".join(import_module(f"pipeline.backends.{name}").HEADS)


def _choices(setting: str) -> str:
    return ", ".join(get_args(get_type_hints(Training)[setting]))


ROWS: dict[str, Callable[[Any], str]] = {
    "installed by": lambda name: "`make setup`" if name == "pytorch" else f"`make setup EXTRAS={name}`, or a run that asks for it",
    "runs on": DEVICES.__getitem__,
    "heads": _heads,
    "model types": _kinds,
    "`base.architecture`": lambda name: f"transformer; {', '.join(classical.KINDS)} for {', '.join(classical.HEADS)}",
    "`training.optimizer`": lambda name: _choices("optimizer"),
    "`training.precision`": lambda name: _choices("precision"),
    "all other settings of `training`": lambda name: f"{len(fields(Training)) - 2}, with the same meaning",
}  # fmt: skip


if __name__ == "__main__":
    print("\n".join(table()))
