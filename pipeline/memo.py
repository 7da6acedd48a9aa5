"""What was worked out about a file, remembered for as long as the file is the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline import durable

GRANULARITY = 2.0  # seconds; a file changed this recently may change again without showing it
CAPACITY = 50_000


class Memo:
    """Facts about files by path, good while size, times and inode stay.  Losing it costs time only."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._facts: dict[str, list[Any]] = {}
        self._changed = False
        try:
            loaded = json.loads(file.read_text(encoding="utf-8"))
            self._facts = loaded if isinstance(loaded, dict) else {}
        except (OSError, ValueError):
            pass

    def recall(self, kind: str, path: Path, work_out: Callable[[Path], Any]) -> Any:
        """``work_out(path)``, a JSON value, or what it gave for the very same file before."""
        name, state = f"{kind}:{path.absolute()}", _state(path)
        known = self._facts.get(name)
        if known is not None and known[0] == state:
            return known[1]
        fact = work_out(path)
        if state == _state(path) and time.time() - max(state[1], state[2]) / 1e9 > GRANULARITY:
            self._facts[name] = [state, fact]
            self._changed = True
        return fact

    def digest(self, file: Path) -> str:
        """The digest of a file's content."""
        found: str = self.recall("digest", file, digest)
        return found

    def note(self, file: Path, known: str) -> None:
        """Take ``known`` as the digest of a file that nobody else writes, however new it is."""
        self._facts[f"digest:{file.absolute()}"] = [_state(file), known]
        self._changed = True

    def save(self) -> None:
        """Keep what was learnt; two runs at once may each forget what the other learnt."""
        if self._changed:
            newest = dict(list(self._facts.items())[-CAPACITY:])
            durable.write(self._file, json.dumps(newest, separators=(",", ":")))
            self._changed = False


def digest(file: Path) -> str:
    """The BLAKE2b digest (128 bits, hexadecimal) of a file's bytes."""
    total = blake2b(digest_size=16)
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
