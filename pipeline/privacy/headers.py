"""What files of weights say in words, read without their weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

# Fields of an ONNX model (onnx.proto, ModelProto): texts, pairs of texts, and those of a pair (StringStringEntryProto).
_TEXTS = {2: "producer_name", 3: "producer_version", 4: "domain", 6: "doc_string"}
_PAIRS, _NAME, _VALUE = 14, 1, 2
LARGEST = 100_000_000  # bytes of a safetensors header, by its specification
_WHOLE_NUMBER, _SIZED = 0, 2  # how a field is written
_FIXED = {1: 8, 5: 4}


def said(file: Path) -> Iterator[tuple[str, str]]:
    """Names and texts in the header of a safetensors or ONNX file; of others, and of those that are damaged, nothing."""
    with suppress(ValueError, KeyError, AttributeError, OverflowError), file.open("rb") as stream:
        match file.suffix.lower():
            case ".safetensors":
                size = int.from_bytes(stream.read(8), "little")
                yield from json.loads(stream.read(min(size, LARGEST))).get("__metadata__", {}).items()
            case ".onnx":
                yield from _model(stream, file.stat().st_size)


def _model(stream: BinaryIO, end: int) -> Iterator[tuple[str, str]]:
    """The graph, which is nearly all of a model, is stepped over."""
    while stream.tell() < end:
        field, kind = divmod(_number(stream), 8)
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
