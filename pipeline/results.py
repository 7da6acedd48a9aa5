"""``results/<recipe>/``: the latest of what people look for, where they can find it.

Files are hard links into the store, or copies where the file system has none.  What else
lies in the folder is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.config import Text
from pipeline.memo import Memo
from pipeline.run import Outcome
from pipeline.step import Step
from pipeline.store import Store

RUN = "run.json"


def other_owner(folder: Path, origin: str) -> str:
    """The file of another recipe of the same name whose results ``folder`` shows now, if that recipe is still there."""
    try:
        owner: str = json.loads((folder / RUN).read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return owner if owner != origin and Path(owner).is_file() else ""


def settings(folder: Path, origin: str) -> dict[str, Text]:
    """Those of the run whose results ``folder`` shows that were not the recipe's own; none if it shows another recipe's."""
    try:
        facts = json.loads((folder / RUN).read_text(encoding="utf-8"))
        return dict(facts["settings"]) if facts["recipe"] == origin else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def lay_out(
    outcomes: dict[Step, Outcome], store: Store, folder: Path, origin: str, settings: Mapping[str, Text]
) -> None:
    """Bring ``folder`` in line with a whole run; nothing is written where it is already."""
    wanted = dict(_wanted(outcomes, store))
    before = _listed(folder)
    for name in before - wanted.keys():
        if (folder / name).is_file():
            (folder / name).unlink()
        _prune(folder, (folder / name).parent)
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in wanted.items():
        if not _same(source, folder / name):
            _put(source, folder / name, store.memo)
    keys = {step.name: outcome.record.key for step, outcome in outcomes.items()}
    facts = {"recipe": origin, "settings": dict(settings), "steps": keys, "files": sorted(wanted)}
    text = json.dumps(facts, indent=1)
    if not (folder / RUN).is_file() or (folder / RUN).read_text(encoding="utf-8") != text:
        (folder / RUN).write_text(text, encoding="utf-8")


def _wanted(outcomes: dict[Step, Outcome], store: Store) -> Iterator[tuple[str, Path]]:
    """Where in the folder, and from where in the store; of two steps that show one name, the later's."""
    for step, outcome in outcomes.items():
        home = store.files(outcome.record)
        for name in outcome.record.files:
            if any(name == shown or name.startswith(f"{shown}/") for shown in step.makes.shown):
                yield name, home / name


def _same(source: Path, target: Path) -> bool:
    try:
        one, other = source.stat(), target.stat()
    except OSError:
        return False
    same_file = (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
    return same_file or (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _put(source: Path, target: Path, memo: Memo) -> None:
    known = memo.digest(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    try:
        os.link(source, scratch)
    except OSError:
        shutil.copy2(source, scratch)
    os.replace(scratch, target)
    memo.note(source, known)  # a link changes the file's times, not its content


def _prune(folder: Path, empty: Path) -> None:
    while empty != folder and empty.is_dir() and not any(empty.iterdir()):
        empty.rmdir()
        empty = empty.parent


def _listed(folder: Path) -> set[str]:
    try:
        return set(json.loads((folder / RUN).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()
