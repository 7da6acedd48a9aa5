"""Compiled code that Python would run although its source is another by now."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path


def drop_stale(sources: Iterable[Path]) -> None:
    """Delete what was compiled before its source was last written to.

    Python looks at the size of a source and at the second that it bears, which an edit within a second, or a copy that
    keeps times, can leave as they were; when a file was changed in any way, its ctime, cannot be set.
    """
    for source in sources:
        compiled = Path(cache_from_source(str(source)))
        with suppress(OSError):
            if source.stat().st_ctime_ns >= compiled.stat().st_ctime_ns:
                compiled.unlink()
