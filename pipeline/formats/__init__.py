"""Forms in which a fine-tuned model can be used without this project.

Chosen by name, whatever backend trained the model: each is made from the Hugging Face folder, which
is the same from every backend.  A format is a class that is never instantiated: two functions and a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.formats.checks import Runtime, Sample

Name = Literal["safetensors", "onnx", "savedmodel", "litert"]


@dataclass(frozen=True)
class Export:
    """How to package a model for use without this project."""

    formats: tuple[Name, ...] = ("safetensors", "onnx")
    """safetensors: the Hugging Face folder, always there; onnx, savedmodel (TensorFlow), litert: any batch size and length"""
    tolerance: float = 1e-4
    """how far an export's logits may be from the model's; of numbers, as a share of the largest"""
    rows: int = 200
    """validation rows to compare them on"""

    def __post_init__(self) -> None:
        require("safetensors" in self.formats, "formats must have safetensors, which the others are made from")
        require(self.rows >= 1, "rows must be at least 1: an export is never left unchecked")
        require(self.tolerance > 0, "tolerance must be more than 0")


class Format(Protocol):
    """A form of a model."""

    name: ClassVar[str]

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        """Make ``folder`` from the Hugging Face folder ``model``; what is worth telling of it."""

    @staticmethod
    def load(folder: Path) -> Runtime:
        """What :meth:`write` wrote, ready to run."""


# Where each format is, in the order in which they are made; only those that are wanted are imported.
CLASSES: dict[Name, str] = {
    "safetensors": "Safetensors",
    "onnx": "Onnx",
    "savedmodel": "SavedModel",
    "litert": "LiteRT",
}
OF_TENSORFLOW = ("savedmodel", "litert")


def chosen(export: Export) -> tuple[type[Format], ...]:
    """The formats that ``export`` names, in the order in which they are made.

    Raises:
        UserError: one needs a package that is not installed.
    """
    for name in OF_TENSORFLOW:
        if name in export.formats and find_spec("keras_hub") is None:
            raise UserError(
                f"export.formats={name}: TensorFlow is not installed; install it with: make setup EXTRAS=tensorflow"
            )
    wanted = {name: kind for name, kind in CLASSES.items() if name in export.formats}
    return tuple(getattr(import_module(f"pipeline.formats.{name}"), kind) for name, kind in wanted.items())
