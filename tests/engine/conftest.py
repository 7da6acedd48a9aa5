"""Little recipes to edit and run, and little modules to follow."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline import sources
from pipeline.memo import Memo
from tests.conftest import ROOT, Cli, read_json, surroundings

RESOURCES = Path(__file__).parent / "resources"

Done = subprocess.CompletedProcess[str]


@dataclass
class Recipe:
    """A recipe in a folder of its own."""

    file: Path
    home: Path
    cli: Cli

    @property
    def store(self) -> Path:
        return self.home / ".store"

    @property
    def results(self) -> Path:
        return self.home / "results" / self.file.stem

    def call(self, command: str, *arguments: Any, **environment: str) -> Done:
        return self.cli(command, self.file, *arguments, **environment)

    def run(self, *arguments: Any, **environment: str) -> dict[str, str]:
        """Why each step was made that was made, by a run that must succeed."""
        return reasons(self.call("run", *arguments, **environment))

    def planned(self, *arguments: Any) -> dict[str, str]:
        """What ``plan`` says of each step."""
        done = well(self.call("plan", *arguments))
        return dict(line.split(maxsplit=1) for line in done.stdout.splitlines())

    def edit(self, old: str, new: str, file: str = "") -> None:
        edit(self.file.parent / (file or self.file.name), old, new)

    def entry(self, stage: str) -> Path:
        """The only entry of a stage in the store."""
        (found,) = (self.store / stage).iterdir()
        return found

    def records(self) -> list[dict[str, Any]]:
        """What the runs left about themselves, oldest first."""
        found = [read_json(file) for file in (self.store / "runs" / self.file.stem).glob("*.json")]
        return sorted(found, key=lambda record: record["started"])


def well(done: Done) -> Done:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def refused(done: Done, *texts: str, code: int = 2) -> None:
    """The command must have failed in words, all of ``texts`` among them."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())
    for text in texts:
        assert text in done.stderr


def reasons(done: Done) -> dict[str, str]:
    pairs = (line.split("  making: ") for line in well(done).stdout.splitlines() if "  making: " in line)
    return {name.strip(): why for name, why in pairs}


def edit(file: Path, old: str, new: str) -> None:
    before = file.read_text(encoding="utf-8")
    assert old in before
    file.write_text(before.replace(old, new), encoding="utf-8")


def until(holds: Callable[[], Any], patience: float = 20.0) -> Any:
    """Wait for something that must come true."""
    end = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


@pytest.fixture
def recipe(tmp_path: Path, home: Path, cli: Cli) -> Callable[[str], Recipe]:
    def bring(name: str) -> Recipe:
        folder = shutil.copytree(RESOURCES / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        return Recipe(folder / f"{name}.py", home, cli)

    return bring


@pytest.fixture
def toy(recipe: Callable[[str], Recipe]) -> Recipe:
    """write → double → count → report (of double and count), all in milliseconds."""
    return recipe("toy")


def toy_runs(home: Path, *settings: str) -> Path:
    """A home in which the toy was run with each setting."""
    for setting in settings:
        command = [sys.executable, "-m", "pipeline", "run", RESOURCES / "toy" / "toy.py", setting]
        subprocess.run(command, cwd=ROOT, env=surroundings(home), check=True, capture_output=True)
    return home


@pytest.fixture(scope="session")
def toy_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_runs(tmp_path_factory.mktemp("made"), "writing.text=a")


@pytest.fixture(scope="session")
def used_toy_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_runs(tmp_path_factory.mktemp("used"), "writing.text=x", "writing.text=y", "writing.text=a")


@pytest.fixture
def made(toy: Recipe, toy_home: Path) -> Recipe:
    """The toy, all its results made: those of another place, which are found wherever they are."""
    shutil.copytree(toy_home, toy.home, dirs_exist_ok=True)
    return toy


@pytest.fixture
def used(toy: Recipe, used_toy_home: Path) -> Recipe:
    """The toy after runs with three settings, the last being the defaults."""
    shutil.copytree(used_toy_home, toy.home, dirs_exist_ok=True)
    return toy


@pytest.fixture
def trouble(recipe: Callable[[str], Recipe]) -> Recipe:
    """mine → smelt → cast; what smelt does, the environment variable TROUBLE says."""
    return recipe("trouble")


@dataclass
class Background:
    """Commands under way in processes of their own."""

    home: Path
    signals: Path
    started: list[subprocess.Popen[str]]

    def start(self, *arguments: Any, trouble: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            cwd=ROOT,
            env=surroundings(self.home, TROUBLE=trouble, SIGNALS=str(self.signals)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.started.append(process)
        return process

    def into_the_stage(self, *arguments: Any, trouble: str = "wait") -> subprocess.Popen[str]:
        """Start a command and wait until its troubled stage waits."""
        process = self.start(*arguments, trouble=trouble)
        until(lambda: (self.signals / f"{process.pid}.started").exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        return process

    def let_go(self) -> None:
        (self.signals / "go").touch()


@pytest.fixture
def background(home: Path, tmp_path: Path) -> Iterator[Background]:
    signals = tmp_path / "signals"
    signals.mkdir()
    running = Background(home, signals, [])
    yield running
    for process in running.started:
        process.kill()
        process.communicate()


@dataclass
class Code:
    """Modules in a folder that Python finds them in."""

    folder: Path

    def write(self, **modules: str) -> None:
        """``write(helper=…, pkg__part=…)`` writes ``helper.py`` and ``pkg/part.py``."""
        for name, text in modules.items():
            file = self.folder.joinpath(*name.replace("__init__", "*").split("__")).with_suffix(".py")
            file = file.with_name(file.name.replace("*", "__init__"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def follow(self, module: str = "stage", name: str = "run") -> sources.Code:
        forget_places()
        return sources.code_of([(module, name)], Memo(self.folder / "memo.json"))

    def notices(self, file: str, old: str, new: str) -> bool:
        """Whether an edit changes what ``stage.run`` depends on."""
        before = self.follow()
        edit(self.folder / file, old, new)
        after = self.follow()
        return _counted(before) != _counted(after)


def _counted(code: sources.Code) -> Any:
    """What of it goes into a key."""
    return sorted(code.definitions.values()), sorted(code.imports.values()), code.libraries


def forget_places() -> None:
    """The engine and Python remember where modules are, for the life of a process; these tests move them."""
    importlib.invalidate_caches()
    for thing in vars(sources).values():
        if hasattr(thing, "cache_clear"):
            thing.cache_clear()


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield Code(folder)
    forget_places()
