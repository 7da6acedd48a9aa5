"""Files that are either the old or the new, whenever the power goes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def replacing(file: Path, *, flush: bool = False) -> Iterator[TextIO]:
    """What is written inside takes the place of ``file`` at the end, if it comes to that; with ``flush``, only once the
    disk has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    short = file.name[:50]  # a long name has no room for more
    handle, scratch = tempfile.mkstemp(prefix=f".{short}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            if flush:
                os.fsync(stream.fileno())
        Path(scratch).chmod(0o644)
        os.replace(scratch, file)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def write(file: Path, text: str, *, flush: bool = False) -> None:
    """Replace ``file`` in one go."""
    with replacing(file, flush=flush) as stream:
        stream.write(text)
