"""How much can be done at once."""

from __future__ import annotations

import os


def available() -> int:
    """The processors that this process may use, which can be fewer than there are, and fewer still by OMP_NUM_THREADS."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(found, asked() or found)


def asked() -> int:
    """The threads that OMP_NUM_THREADS asks for, as most of what computes does; 0 if it does not."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(said) if said.isdecimal() else 0
