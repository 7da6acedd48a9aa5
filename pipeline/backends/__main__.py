"""``python -m pipeline.backends``: what each backend can do, as the table in docs/backends.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib import import_module
from typing import Any, get_args, get_type_hints

from pipeline import backends
from pipeline.backends import Training, classical, written

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
    heads: dict[tuple[str, ...], list[str]] = {}  # by model types
    for head, kinds in import_module(f"pipeline.backends.{name}").KINDS.items():
        heads.setdefault(kinds, []).append(head)
    if list(heads) == [()]:
        return "every one that transformers has the task's head for"
    return "; ".join(f"{', '.join(kinds)} for {', '.join(of)}" for kinds, of in heads.items())


def _heads(name: Any) -> str:
    return ", ".join(import_module(f"pipeline.backends.{name}").KINDS)


def _choices(setting: str) -> Callable[[Any], str]:
    """The values of a setting that a backend knows."""
    every = get_args(get_type_hints(Training)[setting]) or (False, True)

    def known(name: Any) -> str:
        return ", ".join(map(written, import_module(f"pipeline.backends.{name}").LIMITS.get(setting, every)))

    return known


def _others() -> int:
    """How many settings no line of the table is about."""
    told = [name.partition("training.")[2].rstrip("`") for name in ROWS]
    return sum(field.name not in told and not field.name.startswith("adapter_") for field in fields(Training))


ROWS: dict[str, Callable[[Any], str]] = {
    "installed by": lambda name: "`make setup`" if name == "pytorch" else f"`make setup EXTRAS={name}`, or a run that asks for it",
    "runs on": DEVICES.__getitem__,
    "heads": _heads,
    "model types": _kinds,
    "`base.architecture`": lambda name: f"transformer; {', '.join(classical.KINDS)} for {', '.join(classical.HEADS)}",
    "`training.optimizer`": _choices("optimizer"),
    "`training.precision`": _choices("precision"),
    "`training.adapter`": _choices("adapter"),
    "`training.gradient_checkpointing`": _choices("gradient_checkpointing"),
    "all other settings of `training`": lambda name: f"{_others()}, with the same meaning",
}  # fmt: skip


if __name__ == "__main__":
    print("\n".join(table()))
