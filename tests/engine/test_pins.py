"""Names that move are looked up once and kept, until newer is wanted."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.pins import pin
from tests.conftest import read_json
from tests.engine.conftest import Recipe

COMMITS = iter([])


@dataclass(frozen=True)
class Repository:
    name: str
    commit: str = ""

    def pinned(self, known: MutableMapping[str, str]) -> Repository:
        if self.name not in known:
            known[self.name] = f"commit {next(COMMITS)}"
        return replace(self, commit=known[self.name])


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    base: Repository = Repository("bert")


@dataclass(frozen=True)
class Config:
    inner: Settings = Settings()
    text: str = "text"


@pytest.fixture(autouse=True)
def commits() -> None:
    global COMMITS
    COMMITS = iter(range(10))


def test_a_name_is_looked_up_once(tmp_path: Path) -> None:
    for _ in range(2):
        assert pin(Config(), tmp_path / "pins.json").inner.base.commit == "commit 0"
    assert read_json(tmp_path / "pins.json") == {"bert": "commit 0"}


def test_newer_looks_again_and_keeps_what_it_finds(tmp_path: Path) -> None:
    pin(Config(), tmp_path / "pins.json")
    assert pin(Config(), tmp_path / "pins.json", newer=True).inner.base.commit == "commit 1"
    assert pin(Config(), tmp_path / "pins.json").inner.base.commit == "commit 1"


def test_newer_forgets_no_other_name(tmp_path: Path) -> None:
    pin(Repository("roberta"), tmp_path / "pins.json")
    pin(Config(), tmp_path / "pins.json", newer=True)
    assert read_json(tmp_path / "pins.json") == {"bert": "commit 1", "roberta": "commit 0"}


def test_nothing_is_written_where_nothing_moves(tmp_path: Path) -> None:
    settings = replace(Settings(), base=None)  # type: ignore[arg-type]
    assert pin(settings, tmp_path / "pins.json") is settings
    assert list(tmp_path.iterdir()) == []


def test_damaged_pins_are_looked_up_again(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text("{", encoding="utf-8")
    assert pin(Config(), tmp_path / "pins.json").inner.base.commit == "commit 0"
    assert pin(Config(), tmp_path / "pins.json").inner.base.commit == "commit 0"


def test_a_run_uses_what_was_pinned_until_newer_is_wanted(toy: Recipe) -> None:
    toy.edit(
        "    def __post_init__(self) -> None:",
        "    def pinned(self, known: dict[str, str]) -> Writing:\n"
        '        text = known.setdefault("branch", INPUT.with_name("branch.txt").read_text())\n'
        "        return Writing(self.file, text, self.workers)\n\n    def __post_init__(self) -> None:",
    )
    branch = toy.file.with_name("branch.txt")
    branch.write_text("old ", encoding="utf-8")
    toy.run()
    branch.write_text("new ", encoding="utf-8")
    assert toy.run() == {}
    assert toy.run("--newer")["write"] == "text: old  → new "
    assert toy.run() == {}
    assert toy.records()[-1]["settings"]["writing.text"] == "new "
