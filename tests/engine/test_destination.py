"""Where answers are written."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from pipeline.destination import writing
from pipeline.errors import UserError


def written(out: Path, source: Path | None = None) -> None:
    with writing(out, source) as stream:
        stream.write("answers\n")


def mistaken(out: Path, source: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        written(out, source)
    (line,) = caught.value.problems
    return line


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.csv"
    file.write_text("text\nFine.\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("name", [".", "", "texts.csv/x", "texts.csv/x/y", "loop", "long" * 100])
def test_a_place_that_can_be_no_file_is_a_mistake_before_anything_is_answered(
    tmp_path: Path, texts: Path, name: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"^--out .*; name a file"), writing(tmp_path / name, texts):
        pytest.fail("there was an answer")
    assert sorted(tmp_path.iterdir()) == before


def test_the_longest_name_there_may_be_is_written(tmp_path: Path) -> None:
    out = tmp_path / ("a" * 249 + ".jsonl")
    written(out)
    assert out.read_text(encoding="utf-8") == "answers\n"


def test_a_device_is_written_to_and_stays_one() -> None:
    written(Path(os.devnull))
    assert Path(os.devnull).is_char_device()


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: heard.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    written(pipe)
    reader.join(10)
    assert heard == ["answers\n"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_to_its_target(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_text("old\n", encoding="utf-8")
    link.symlink_to(target)
    written(link)
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "answers\n"


@pytest.mark.parametrize("linked", [True, False])
def test_the_file_that_is_read_is_not_written_to(tmp_path: Path, texts: Path, linked: bool) -> None:
    out = tmp_path / "link" if linked else texts
    if linked:
        out.symlink_to(texts)
    assert "is the file that --file reads" in mistaken(out, texts)
    assert texts.read_text(encoding="utf-8") == "text\nFine.\n"
