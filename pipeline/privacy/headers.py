"""What files of weights say in words, read without their weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.privacy import documents

# Fields of an ONNX model (onnx.proto, ModelProto): texts, pairs of texts, and those of a pair (StringStringEntryProto).
_TEXTS = {2: "producer_name", 3: "producer_version", 4: "domain", 6: "doc_string"}
_PAIRS, _NAME, _VALUE = 14, 1, 2
LARGEST = 100_000_000  # bytes of a safetensors header, by its specification
_WHOLE_NUMBER, _SIZED = 0, 2  # how a field is written
_FIXED = {1: 8, 5: 4}
_OTHERS = (1, 5, 7, 8, 20, 25, 26)  # what else there is in a model
DAMAGED = (ValueError, KeyError, OverflowError, RecursionError)


def said(file: Path) -> Iterator[tuple[str, str]]:
    """Names and texts in the header of a safetensors or ONNX file.

    Raises:
        DAMAGED: it cannot be read to its end.
    """
    with file.open("rb") as stream:
        if file.suffix.lower() == ".onnx":
            yield from _model(stream, file.stat().st_size)
        else:
            size = int.from_bytes(stream.read(8), "little")
            yield from documents.texts(stream.read(min(size, LARGEST)))


def _model(stream: BinaryIO, end: int) -> Iterator[tuple[str, str]]:
    """The graph, which is nearly all of a model, is stepped over."""
    while stream.tell() < end:
        field, kind = divmod(_number(stream), 8)
        if field not in (*_TEXTS, _PAIRS, *_OTHERS):
            raise ValueError("no field of a model")
        if kind == _WHOLE_NUMBER:
            _number(stream)
            continue
        size = _number(stream) if kind == _SIZED else _FIXED[kind]
        if field in _TEXTS:
            yield _TEXTS[field], _text(stream.read(size))
        elif field == _PAIRS:
            yield _pair(stream, stream.tell() + size)
        else:
            stream.seek(size, 1)
    if stream.tell() > end:
        raise ValueError("the file ends in the middle of a field")


def _pair(stream: BinaryIO, end: int) -> tuple[str, str]:
    found = {_NAME: "", _VALUE: ""}
    while stream.tell() < end:
        field = _number(stream) // 8
        found[field] = _text(stream.read(_number(stream)))
    return f"metadata_props.{found[_NAME]}", found[_VALUE]


def _number(stream: BinaryIO) -> int:
    """A number of protobuf: seven bits a byte, the lowest first."""
    number = shift = 0
    while byte := stream.read(1):
        number |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return number
    raise ValueError("the file ends in the middle of a number")


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")
