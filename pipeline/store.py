"""Finished artifacts on disk, found by what they were made from."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline import durable
from pipeline.artifacts import LOGS, RESUME, stored
from pipeline.fingerprint import fold, key
from pipeline.locks import held_if_free
from pipeline.memo import Memo, digest

RECORD = "record.json"
KEY = re.compile(r"[0-9a-f]{32}")
ABANDONED = 7 * 24 * 3600  # seconds after which a killed attempt is no longer worth going on with


@dataclass(frozen=True)
class Record:
    """How an artifact came to be.  It is written last, so it also says that the artifact is whole."""

    key: str
    digest: str  # of what is in it, but for its logs: names, sizes and bytes
    files: dict[str, tuple[int, str]]  # relative name: size in bytes, digest
    seconds: float
    made: float  # when, in seconds since 1970
    dependencies: dict[str, Any]

    @property
    def stage(self) -> str:
        name: str = self.dependencies["stage"]
        return name

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(size for size, _ in self.files.values())


class Damaged(Exception):
    """An entry that is not what its record says, and how."""


class Store:
    """``root/<stage>/<key>/`` holds ``files/`` and ``record.json``; ``root/.scratch/`` what is being made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.memo = Memo(root / "memo.json")
        self.scratch = root / ".scratch"
        self.locks = root / ".locks"

    def find(self, dependencies: Mapping[str, Any], *, verify: bool = False) -> Record | None:
        """The record of the result of ``dependencies``, if it is all there.

        Every file's size is looked at; its bytes where its times changed since they were, or with ``verify``.

        Raises:
            Damaged: there is an entry, but it cannot be used.
        """
        home = self._home(dependencies["stage"], key(dependencies))
        if not home.exists():
            return None
        record = _load(home)
        if record is None or record.key != home.name:
            raise Damaged("its record is missing or damaged")
        self._check(record, home / "files", verify)
        return record

    def files(self, record: Record) -> Path:
        return self._home(record.stage, record.key) / "files"

    def lock(self, dependencies: Mapping[str, Any]) -> Path:
        """The lock to hold while making the result of ``dependencies``."""
        return self.locks / f"{key(dependencies)}.lock"

    def make(self, dependencies: Mapping[str, Any], stage: Callable[[Path], object]) -> Record:
        """Call ``stage`` on a directory, and keep the directory if it returns.  The caller holds the lock.

        The directory is empty but for what a killed attempt at the very same result left in ``.resume``, which stays
        until the result is in its place.
        """
        name = key(dependencies)
        scratch = self.scratch / name
        files = _prepared(scratch)
        start = time.perf_counter()
        token = stored.set(True)
        try:
            stage(files)
            seconds = round(time.perf_counter() - start, 3)
            if (files / RESUME).exists():
                os.replace(files / RESUME, scratch / RESUME)
            listed = _sealed(files)
            record = Record(name, _total(listed), listed, seconds, time.time(), dict(dependencies))
            durable.write(scratch / RECORD, json.dumps(asdict(record), indent=1), flush=True)
            self._place(scratch, self._home(record.stage, name))
        finally:
            stored.reset(token)
            if not _resume(scratch):
                shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(self._home(record.stage, name) / RESUME, ignore_errors=True)
        for file, (_, known) in listed.items():
            self.memo.note(self.files(record) / file, known)
        return record

    def records(self, stage: str = "*") -> Iterator[Record]:
        """The records that can be read, of one stage or of all."""
        for home in self.root.glob(f"{stage}/*"):
            if not home.parent.name.startswith(".") and (record := _load(home)):
                yield record

    def latest(self, stage: str, before: float) -> Record | None:
        """The newest artifact of a stage from before some time (seconds since 1970), to say what has changed since."""
        found = (record for record in self.records(stage) if record.made < before)
        return max(found, key=lambda record: record.made, default=None)

    def record(self, stage: str, name: str) -> Record | None:
        """The record of this key, unchecked."""
        return _load(self._home(stage, name))

    def remove(self, record: Record) -> None:
        """Record and files go together: out of sight first, then deleted."""
        self.discard(self._home(record.stage, record.key))

    def discard(self, home: Path) -> None:
        """Take an entry away, whatever is in it."""
        shutil.rmtree(self._out_of_sight(home), ignore_errors=True)

    def broken(self) -> list[Path]:
        """Entries whose record cannot be read: of no use to anybody."""
        entries = (
            home for home in self.root.glob("*/*") if KEY.fullmatch(home.name) and not home.parent.name.startswith(".")
        )
        return sorted(home for home in entries if _load(home) is None)

    def sweep(self) -> None:
        """Delete what dead processes left, but not what a training can go on from."""
        for scratch in self.scratch.glob("*"):
            with held_if_free(self.locks / f"{scratch.name}.lock") as free:
                resume = _resume(scratch)
                if free and (resume is None or time.time() - resume.stat().st_mtime > ABANDONED):
                    shutil.rmtree(scratch, ignore_errors=True)
        for done in self.root.glob(f"*/*/{RESUME}"):  # of a process that died when its result was in its place
            if not done.parent.parent.name.startswith("."):
                shutil.rmtree(done, ignore_errors=True)

    def _home(self, stage: str, name: str) -> Path:
        return self.root / stage / name

    def _check(self, record: Record, files: Path, verify: bool) -> None:
        for name, (size, known) in record.files.items():
            file = files / name
            try:
                if file.stat().st_size != size:
                    raise Damaged(f"{name} has {file.stat().st_size:,} bytes instead of {size:,}")
                if (digest(file) if verify else self.memo.digest(file)) != known:
                    raise Damaged(f"the content of {name} is not what was recorded")
            except OSError:
                raise Damaged(f"{name} is missing or cannot be read") from None

    def _place(self, scratch: Path, home: Path) -> None:
        home.parent.mkdir(parents=True, exist_ok=True)
        _flush(scratch)
        trash = self._out_of_sight(home) if home.exists() else None  # damaged, or made again by force
        os.replace(scratch, home)
        _flush(home.parent)
        if trash:
            shutil.rmtree(trash, ignore_errors=True)

    def _out_of_sight(self, home: Path) -> Path:
        """Move an entry to where the next sweep deletes it."""
        trash = self.scratch / f"removed-{uuid4().hex}"
        trash.parent.mkdir(parents=True, exist_ok=True)
        os.replace(home, trash)
        return trash


def _resume(scratch: Path) -> Path | None:
    """What a training can go on from: with its files, or beside them once these are finished."""
    places = (scratch / "files" / RESUME, scratch / RESUME)
    return next((place for place in places if place.exists()), None)


def _prepared(scratch: Path) -> Path:
    """A directory for files: empty, but for ``.resume``."""
    files, resume = scratch / "files", _resume(scratch)
    files.mkdir(parents=True, exist_ok=True)
    if resume == scratch / RESUME:
        os.replace(resume, files / RESUME)
    for left in files.iterdir():
        if left.is_dir() and left.name != RESUME:
            shutil.rmtree(left)
        elif left.name != RESUME:
            left.unlink()
    return files


def _sealed(files: Path) -> dict[str, tuple[int, str]]:
    """Flush every file to disk and make it read-only; its size and digest by name."""
    listed = {}
    for file in sorted(p for p in files.rglob("*") if p.is_file()):
        if file.is_symlink():  # what it points to is not the store's to keep
            linked = file.resolve()
            file.unlink()
            shutil.copyfile(linked, file)
        file.chmod(0o644)  # a copy of a read-only input is read-only as well
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
        file.chmod(0o444)
        listed[file.relative_to(files).as_posix()] = (file.stat().st_size, digest(file))
    for folder in [files, *(p for p in files.rglob("*") if p.is_dir())]:
        _flush(folder)
    return listed


def _total(listed: Mapping[str, tuple[int, str]]) -> str:
    """One digest for all files but those in ``logs/``, which hold times and so never come out equal."""
    return fold({name: f for name, f in listed.items() if not name.startswith(f"{LOGS}/")})


def _load(home: Path) -> Record | None:
    try:
        fields = json.loads((home / RECORD).read_text(encoding="utf-8"))
        fields["files"] = {name: (int(size), str(known)) for name, (size, known) in fields["files"].items()}
        record = Record(**fields)
        whole = record.key == key(record.dependencies) and record.digest == _total(record.files)
        return record if whole and isinstance(record.made, float) and isinstance(record.seconds, float) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _flush(folder: Path) -> None:
    """Make the names in a folder outlive a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
