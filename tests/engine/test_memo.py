"""What is remembered about files, and when it must not be."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.memo import Memo, digest


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A file whose state will not change unseen any more: its times lie two seconds back."""
    file = tmp_path / "data.txt"
    file.write_text("content", encoding="utf-8")
    return file


def test_what_is_noted_is_recalled_in_another_process(tmp_path: Path, old_file: Path) -> None:
    memo = Memo(tmp_path / "memo.json")
    memo.note(old_file, "known")
    memo.save()
    assert Memo(tmp_path / "memo.json").digest(old_file) == "known"


def test_a_file_that_changed_is_read_again(tmp_path: Path, old_file: Path) -> None:
    memo = Memo(tmp_path / "memo.json")
    memo.note(old_file, "known")
    old_file.write_text("CONTENT", encoding="utf-8")
    assert memo.digest(old_file) == digest(old_file) != "known"


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read_again(tmp_path: Path, old_file: Path) -> None:
    memo = Memo(tmp_path / "memo.json")
    memo.note(old_file, "known")
    times = old_file.stat()
    other = tmp_path / "other.txt"
    other.write_text("CONTENT", encoding="utf-8")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.replace(other, old_file)
    assert memo.digest(old_file) == digest(old_file)


def test_a_file_changed_just_now_is_not_trusted_yet(tmp_path: Path, old_file: Path) -> None:
    memo, asked = Memo(tmp_path / "memo.json"), []
    for _ in range(2):
        memo.recall("count", old_file, lambda file: asked.append(file))
    assert len(asked) == 2


def test_a_file_left_alone_for_a_while_is_read_once(tmp_path: Path, old_file: Path) -> None:
    memo, asked = Memo(tmp_path / "memo.json"), []
    time.sleep(2.1)  # change times cannot be set back
    for _ in range(3):
        memo.recall("count", old_file, lambda file: asked.append(file))
    assert len(asked) == 1


def test_two_kinds_of_facts_about_a_file_are_kept_apart(tmp_path: Path, old_file: Path) -> None:
    memo = Memo(tmp_path / "memo.json")
    memo.note(old_file, "known")
    assert memo.recall("length", old_file, lambda file: len(file.read_bytes())) == 7


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "\x00\x01"])
def test_a_damaged_memory_costs_time_only(tmp_path: Path, old_file: Path, text: str) -> None:
    (tmp_path / "memo.json").write_text(text, encoding="utf-8")
    memo = Memo(tmp_path / "memo.json")
    assert memo.digest(old_file) == digest(old_file)
    memo.note(old_file, "known")
    memo.save()
    assert Memo(tmp_path / "memo.json").digest(old_file) == "known"


def test_nothing_is_written_where_nothing_was_learnt(tmp_path: Path) -> None:
    Memo(tmp_path / "memo.json").save()
    assert list(tmp_path.iterdir()) == []


def test_saving_leaves_no_other_file(tmp_path: Path, old_file: Path) -> None:
    memo = Memo(tmp_path / "deep" / "memo.json")
    memo.note(old_file, "known")
    memo.save()
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["memo.json"]
