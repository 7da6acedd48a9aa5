"""Toy: the lines of a file, repeated and counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import words

from pipeline.artifacts import Artifact
from pipeline.fields import neutral, require
from pipeline.step import Step

INPUT = Path(__file__).parent / "input.txt"


class Text(Artifact):
    """``text.txt``."""

    shown = ("text.txt",)


class Count(Artifact):
    """``count.json``."""

    shown = ("count.json",)


class Report(Artifact):
    """``report/``: a page for each thing that is told."""

    shown = ("report",)


@dataclass(frozen=True)
class Writing:
    file: Path = INPUT
    """whose lines to take"""
    text: str = "a"
    """what every line begins with"""
    workers: int = neutral(1)
    """how many write"""

    def __post_init__(self) -> None:
        require(self.workers >= 1, "workers must be at least 1")


@dataclass(frozen=True)
class Doubling:
    times: int = 2
    """how often every line comes"""


@dataclass(frozen=True)
class Counting:
    unit: Literal["lines", "letters"] = "lines"
    """what to count"""


@dataclass(frozen=True)
class Config:
    writing: Writing = Writing()
    doubling: Doubling = Doubling()
    counting: Counting = Counting()


def plan(config: Config) -> Step:
    written = Step(write, config.writing)
    doubled = Step(double, config.doubling, written=written)
    counted = Step(count, config.counting, doubled=doubled)
    return Step(report, None, doubled=doubled, counted=counted)


def write(config: Writing, out: Path) -> Text:
    """The lines as they are to begin."""
    # one line a line
    lines = config.file.read_text(encoding="utf-8").splitlines()
    return _text(out, [config.text + tidy(line) for line in lines])


def double(config: Doubling, out: Path, *, written: Text) -> Text:
    """Every line again and again."""
    lines = (written.path / "text.txt").read_text(encoding="utf-8").splitlines()
    return _text(out, words.repeated(lines, config.times))


def count(config: Counting, out: Path, *, doubled: Text) -> Count:
    """How many there are."""
    made = Count(out)
    made.write("count.json", words.counted((doubled.path / "text.txt").read_text(encoding="utf-8"), config.unit))
    return made


def report(config: None, out: Path, *, doubled: Text, counted: Count) -> Report:
    """What came of it."""
    (out / "report").mkdir()
    (out / "report" / "count.txt").write_text(f"{counted.read('count.json')} of them\n", encoding="utf-8")
    return Report(out)


def tidy(line: str) -> str:
    return line.strip()


def _text(out: Path, lines: list[str]) -> Text:
    (out / "text.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Text(out)
