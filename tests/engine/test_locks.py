"""Locks wait, say for whom, and end with their holder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pipeline import locks
from tests.engine.conftest import until


def free(file: Path) -> bool:
    with locks.held_if_free(file) as held:
        return held


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    told: list[str] = []
    with locks.held(tmp_path / "deep" / "a.lock", told.append):
        assert not free(tmp_path / "deep" / "a.lock")
    assert free(tmp_path / "deep" / "a.lock")
    assert told == []


def test_a_lock_is_let_go_when_its_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locks.held(tmp_path / "a.lock"):
        raise RuntimeError
    assert free(tmp_path / "a.lock")


def test_who_waits_is_told_once_who_holds_the_lock(tmp_path: Path) -> None:
    told: list[str] = []

    def wait() -> None:
        with locks.held(tmp_path / "a.lock", told.append):
            told.append("mine")

    with locks.held(tmp_path / "a.lock"):
        other = threading.Thread(target=wait)
        other.start()
        until(lambda: told)
        assert "mine" not in told
    other.join(timeout=20)
    assert told[1:] == ["mine"]
    assert told[0].startswith(f"process {os.getpid()} on ")


def test_a_lock_taken_only_if_free_is_held_and_let_go(tmp_path: Path) -> None:
    with locks.held_if_free(tmp_path / "a.lock") as held:
        assert held
        assert not free(tmp_path / "a.lock")
    assert free(tmp_path / "a.lock")


@pytest.mark.parametrize("text", ["", "{}", "["])
def test_a_holder_that_did_not_sign_is_another_process(tmp_path: Path, text: str) -> None:
    assert locks.holder(tmp_path / "a.lock") == "another process"
    (tmp_path / "a.holder").write_text(text, encoding="utf-8")
    assert locks.holder(tmp_path / "a.lock") == "another process"
