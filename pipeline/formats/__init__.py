"""Forms in which a fine-tuned model can be used without this project.

Chosen by name, whatever backend trained the model: each is made from the Hugging Face folder, which
is the same from every backend.  A format is a class that is never instantiated: two functions and a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast

from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.formats.checks import Runtime, Sample, Writer

DRAFTS = ".drafts"  # what several forms are made of: beside them, until all are made
Name = Literal["safetensors", "onnx", "onnx-int8", "onnx-fp16", "openvino", "savedmodel", "litert"]


@dataclass(frozen=True)
class Export:
    """How to package a model for use without this project."""

    formats: tuple[Name, ...] = ("safetensors", "onnx")
    """safetensors: the Hugging Face folder, always there; onnx, onnx-int8 (smaller, and fast on CPUs), onnx-fp16 (for GPUs), openvino, savedmodel (TensorFlow), litert: any batch size and length"""
    tolerance: float = 1e-4
    """how far the logits of a form in float may be from the model's; of numbers, as a share of the largest"""
    rows: int = 200
    """validation rows to compare them on"""
    budget: float = 0.5
    """points of the first validation score that is better if higher, from 100, that a form may lose"""
    quantization: Literal["dynamic", "static"] = "dynamic"
    """of onnx-int8, the range of activations: dynamic: that of what is answered at once; static: that of some training rows"""
    timing: bool = True
    """measure how fast each form answers"""

    def __post_init__(self) -> None:
        require("safetensors" in self.formats, "formats must have safetensors, which the others are made from")
        require(self.rows >= 1, "rows must be at least 1: an export is never left unchecked")
        require(self.tolerance > 0, "tolerance must be more than 0")
        require(self.budget >= 0, "budget must be at least 0")


class Form(Protocol):
    """What all forms of a model have.

    Attributes:
        looser: how many times as far as those of a form in float its logits may be off.
        needs: the frameworks without which it cannot be run.
    """

    name: ClassVar[str]
    looser: ClassVar[float]
    needs: ClassVar[tuple[str, ...]]


class Format(Form, Protocol):
    """A form of a model that answers with numbers.  One that can be made with more care has shares to try in ``careful``,
    and :meth:`write` takes one."""

    @staticmethod
    def write(model: Path, folder: Path, sample: Sample) -> dict[str, Any]:
        """Make ``folder`` from the Hugging Face folder ``model``; what is worth telling of it."""

    @staticmethod
    def load(folder: Path) -> Runtime:
        """What :meth:`write` wrote, ready to run."""


class TextFormat(Form, Protocol):
    """The same of a model that writes text."""

    @staticmethod
    def write(model: Path, folder: Path) -> dict[str, Any]:
        """Make ``folder`` from the Hugging Face folder ``model``; what is worth telling of it."""

    @staticmethod
    def load(folder: Path) -> Writer:
        """What :meth:`write` wrote, ready to run."""


# Where each format is, in the order in which they are made; only those that are wanted are imported.
CLASSES: dict[Name, str] = {
    "safetensors": "Safetensors",
    "onnx": "Onnx",
    "onnx-int8": "OnnxInt8",
    "onnx-fp16": "OnnxFp16",
    "openvino": "OpenVino",
    "savedmodel": "SavedModel",
    "litert": "LiteRT",
}
# The same for models that write text, each in a module of its name and "_text".
WRITERS: dict[Name, str] = {
    "safetensors": "SafetensorsText",
    "onnx": "OnnxText",
    "onnx-int8": "OnnxInt8Text",
    "onnx-fp16": "OnnxFp16Text",
}
# What some need besides: the extra, the package that tells whether it is there, and what people call it.
EXTRAS: dict[Name, tuple[str, str, str]] = {
    "openvino": ("openvino", "openvino", "OpenVINO"),
    "savedmodel": ("tensorflow", "keras_hub", "TensorFlow"),
    "litert": ("tensorflow", "keras_hub", "TensorFlow"),
}


def chosen(export: Export, *, writes: bool = False) -> tuple[type[Any], ...]:
    """The formats that ``export`` names, in the order in which they are made: a :class:`Format` each, or a
    :class:`TextFormat` for a model that ``writes``.

    Raises:
        UserError: one needs a package that is not installed, or is not for such models.
    """
    if writes:
        if other := [name for name in export.formats if name not in WRITERS]:
            raise UserError(
                f"export.formats={','.join(other)}: cannot hold a model that writes text; use export.formats={','.join(WRITERS)}"
            )
        return tuple(kind(name, writes=True) for name in WRITERS if name in export.formats)
    for name, (extra, package, title) in EXTRAS.items():
        if name in export.formats and find_spec(package) is None:
            raise UserError(
                f"export.formats={name}: {title} is not installed; install it with: make setup EXTRAS={extra}"
            )
    return tuple(kind(name) for name in CLASSES if name in export.formats)


def kind(name: Name, *, writes: bool = False) -> type[Any]:
    """A format by its name."""
    module = f"pipeline.formats.{name.replace('-', '_')}"
    if writes:
        return cast(type[Any], getattr(import_module(f"{module}_text"), WRITERS[name]))
    return cast(type[Any], getattr(import_module(module), CLASSES[name]))
