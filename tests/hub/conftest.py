"""The Hub on this machine, and its real clients, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, surroundings
from tests.hub.people import person
from tests.hub.server import Hub

TOKEN = "hf_averysecretTokenThatMustNotBeSeen"

Client = Callable[..., str]

BEGIN = """
import sys
from pathlib import Path
from huggingface_hub import CommitOperationAdd as Add, HfApi, errors, hf_hub_download, snapshot_download
hub, here = HfApi(), Path(sys.argv[1])
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A small Hub on this machine, with one person; no token may have been sent to its storage, nothing asked that it does
    not know."""
    with Hub() as running:
        running.people[TOKEN] = person()
        yield running
    assert (running.leaked, running.unknown) == ([], [])


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    """``client(script)``: what a script prints that asks ``hub`` through the Hub's own client, in the folder ``here``."""

    def call(script: str, token: str = TOKEN, **more: str) -> str:
        environment = surroundings(
            tmp_path, **hub.environment(tmp_path / "hf"), **({"HF_TOKEN": token} if token else {})
        )
        command = [sys.executable, "-c", BEGIN + script, str(tmp_path)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, **more},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call
