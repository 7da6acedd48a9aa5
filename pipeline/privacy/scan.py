"""What must not be published by mistake: personal data and secrets in the files of an upload."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.privacy import headers
from pipeline.privacy.findings import KINDS, Finding
from pipeline.privacy.recognizers import find

TOLD = 10  # places in a message
MARK = 6  # hexadecimal digits: enough to tell findings apart, too few to find out a telephone number by trying all
KEY = "a key"  # what a name in JSON is called, where it is what was found
# Weights and graphs: of these, what their makers wrote into their heads is looked at.
BINARY = (".onnx", ".safetensors", ".bin", ".pb", ".tflite")
_ALLOWED = re.compile(rf"(?:{'|'.join(KINDS)})(?::[0-9a-f]{{{MARK}}})?")
Said = tuple[int, str, str]  # line, or 0 if there is none; where in it; text


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found.  ``shown`` is what of it may be told, ``name`` what allows it."""

    file: str
    line: int
    key: str
    shown: str
    name: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return f"{', '.join(filter(None, (self.file, line, self.key)))}: {self.shown} ({self.name})"


def check(files: Mapping[str, Path], allow: Sequence[str]) -> None:
    """Refuse to publish what looks personal or secret.

    Args:
        files: by the names that they would have.
        allow: see :func:`require_known`.

    Raises:
        UserError: there is such a thing; the message lists the first places, none of it whole.
    """
    found = scan(files, allow)
    if not found:
        return
    count = "1 place looks" if len(found) == 1 else f"{len(found):,} places look"
    listed = [str(place) for place in found[:TOLD]]
    if len(found) > TOLD:
        listed.append(f"and {len(found) - TOLD:,} more")
    raise UserError(
        f"publication: {count} personal or secret, so nothing was uploaded; take it out of the data (corpus.mask={','.join(_kinds(found))} "
        f"does), or allow what may be known with publication.allow={found[0].name},… or with a kind alone",
        *listed,
    )


def _kinds(found: Sequence[Place]) -> list[str]:
    there = {place.name.partition(":")[0] for place in found}
    return [kind for kind in KINDS if kind in there]


def require_known(allow: Sequence[str]) -> None:
    """Refuse what :func:`check` could not mean.

    Args:
        allow: kinds, of which all is allowed, and findings as :func:`check` names them.
    """
    for each in allow:
        require(
            _ALLOWED.fullmatch(each) is not None,
            f"allow={each}: expected KIND:MARK as a refusal names it, such as email:1f2e3d, or one of {', '.join(KINDS)}",
        )


def scan(files: Mapping[str, Path], allow: Collection[str] = ()) -> list[Place]:
    """All places but those that are allowed, by file and line.

    Of files that are no text only what their headers say is read.
    """
    places = []
    for name, file in sorted(files.items()):
        for line, key, text in _said(file):
            for finding in find(text):
                mark = name_of(finding)
                if mark not in allow and finding.kind not in allow:
                    at = line + text.count("\n", 0, finding.start) if not key else line
                    places.append(Place(name, at, _hidden(key), shown(finding), mark))
    return places


def name_of(finding: Finding) -> str:
    """What allows a finding: its kind, and a mark from which it cannot be read."""
    return f"{finding.kind}:{sha256(finding.text.encode()).hexdigest()[:MARK]}"


def shown(finding: Finding) -> str:
    """As much of a finding as its owner needs to recognize it."""
    text = " ".join(finding.text.split())
    if finding.kind == "email":
        return f"{text[0]}…@{re.split('[@＠]', text)[-1]}"
    if finding.kind == "secret":
        return f"{text[: min(4, len(text) // 4)]}…"
    ends = 2 if finding.kind != "phone" else 1
    return f"{text[:ends]}…{text[-2:]}"


def _hidden(key: str) -> str:
    """Where in JSON, which may be named after something personal itself."""
    for finding in reversed(find(key)):
        key = key[: finding.start] + shown(finding) + key[finding.end :]
    return key


def _said(file: Path) -> Iterator[Said]:
    """The texts in a file."""
    if not _is_text(file):
        yield from ((0, key, text) for key, text in headers.said(file))
        return
    content = file.read_text(encoding="utf-8", errors="replace")
    match file.suffix.lower():
        case ".json":
            yield from _document(content, content)
        case ".jsonl":
            for number, line in enumerate(content.split("\n"), 1):
                yield from ((number, key, text) for _, key, text in _document(line, ""))
        case _:
            yield 1, "", content


def _is_text(file: Path) -> bool:
    if file.suffix.lower() in BINARY:
        return False
    with file.open("rb") as stream:
        return b"\x00" not in stream.read(4096)


def _document(content: str, whole: str) -> Iterator[Said]:
    """The texts in JSON, with their lines in ``whole``; numbers are nobody's."""
    try:
        document = json.loads(content)
    except ValueError:
        yield 1, "", content
        return
    for key, text in _texts(document, ""):
        if find(text):
            yield _line(text, whole), key or "the text", text


def _line(text: str, whole: str) -> int:
    for ascii in (False, True):
        place = whole.find(json.dumps(text, ensure_ascii=ascii)[1:-1])
        if place >= 0:
            return whole.count("\n", 0, place) + 1
    return 0


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in JSON with where it is, also the names of values."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield f"{path} ({KEY})" if path else KEY, name
            yield from _texts(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, f"{path}[{number}]")
