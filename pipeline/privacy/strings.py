"""Addresses and keys among the bytes of weights and graphs, whatever their format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pipeline.privacy.findings import Finding
from pipeline.privacy.secrets import secrets

_RUN = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")  # shorter ones are everywhere in weights
# Stricter than in texts, for weights hold some of everything: each part of a domain is of small letters or of capitals.  And what
# stands around it does not matter: protobuf has a string's length before it and the next field behind it, which may look like letters.
_ADDRESS = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_%+-])?@"
    r"(?:[A-Za-z0-9](?:[a-z0-9-]{0,61}[a-z0-9]|[A-Z0-9-]{0,61}[A-Z0-9])?\.)+(?:[a-z]{2,24}|[A-Z]{2,24})"
)


def found(file: Path) -> Iterator[tuple[int, Finding]]:
    """E-mail addresses and secrets, each with the position of its first byte.

    Numbers are not looked for: random bytes are full of digits.  The file is mapped, not read into memory; 100 MB take
    about 3 s.
    """
    if not file.stat().st_size:
        return  # nothing to map
    with file.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        for run in _RUN.finditer(content):
            for finding in _found(run[0].decode("ascii")):
                yield run.start() + finding.start, finding


def _found(text: str) -> Iterator[Finding]:
    keys = [Finding("secret", start, end, text[start:end]) for start, end in secrets(text, joined=True)]
    yield from keys
    if "@" not in text:
        return
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        if not any(start < key.end and key.start < end for key in keys):  # the end of https://me:password@…
            yield Finding("email", start, end, match[0])
