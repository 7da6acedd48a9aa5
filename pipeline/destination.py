"""Where answers are written: a file, or what stands for one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from pipeline import durable
from pipeline.errors import UserError


@contextmanager
def writing(out: Path, source: Path | None) -> Iterator[TextIO]:
    """A stream into ``out``.  A file is replaced at the end, where links lead to; a device or a pipe is written to.

    Raises:
        UserError: nothing can be written there, or it is the file that ``source`` is read from.
    """
    with ExitStack() as opened:
        try:
            place = _place(out, source)
            stream = opened.enter_context(durable.replacing(place) if place else out.open("w", encoding="utf-8"))
        except OSError as error:
            raise UserError(
                f"--out {out!s:.300}: cannot be written ({error.strerror or error}); name a file in a folder that "
                "this user can write into"
            ) from None
        yield stream


def is_stdout(out: Path) -> bool:
    """Whether it is where ``print`` writes, such as /dev/stdout: what is said elsewhere must not be mixed in."""
    try:
        return os.path.samestat(out.stat(), os.fstat(1))
    except OSError:
        return False


def _place(out: Path, source: Path | None) -> Path | None:
    """The file to replace; None if ``out`` is there and no regular file."""
    real = Path(os.path.realpath(out))
    try:
        mode = out.stat().st_mode
    except FileNotFoundError:  # it is new, or a link to what is new
        return real
    if stat.S_ISDIR(mode):
        raise UserError(f"--out {out}: is a folder; name a file to write the answers to")
    if source is not None and out.samefile(source):
        raise UserError(f"--out {out}: is the file that --file reads; name another, so that the texts are kept")
    return real if stat.S_ISREG(mode) else None
