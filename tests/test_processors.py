"""How many processors work."""

from __future__ import annotations

import pytest

from pipeline import processors


@pytest.mark.parametrize(
    ("said", "found"), [("1", 1), ("1,2", 1), ("100000", None), ("0", None), ("", None), ("many", None)]
)
def test_fewer_threads_are_used_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, said: str, found: int | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usual = processors.available()
    assert usual >= 1 and processors.asked() == 0
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert processors.available() == (found or usual)
