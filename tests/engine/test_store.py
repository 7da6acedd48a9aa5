"""Entries that are not what their record says are made again, and why is said."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import locks
from pipeline.artifacts import RESUME
from pipeline.fingerprint import key
from pipeline.memo import digest
from pipeline.store import RECORD, Store
from tests.conftest import ROOT, read_json
from tests.engine.conftest import Recipe

Damage = Callable[[Path], object]


def rewrite(file: Path, content: bytes) -> None:
    """As a program or a disk would that asks nobody."""
    file.chmod(0o644)
    file.write_bytes(content)


def test_an_entry_is_whole_and_read_only(made: Recipe) -> None:
    entry = made.entry("write")
    record = read_json(entry / RECORD)
    file = entry / "files" / "text.txt"
    assert record["files"] == {"text.txt": [file.stat().st_size, digest(file)]}
    assert record["key"] == entry.name
    assert file.stat().st_mode & 0o222 == 0
    assert record["dependencies"]["settings"]["text"] == "a"


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda files: rewrite(files / "text.txt", b"aone\n"), "text.txt has 5 bytes instead of "),
        (lambda files: rewrite(files / "text.txt", (files / "text.txt").read_bytes().replace(b"aone", b"aonE")),
         "the content of text.txt is not what was recorded"),
        (lambda files: (files / "text.txt").unlink(), "text.txt is missing or cannot be read"),
        (lambda files: shutil.rmtree(files), "text.txt is missing or cannot be read"),
        (lambda files: ((files / "text.txt").unlink(), (files / "text.txt").mkdir()), "text.txt"),
        (lambda files: (files.parent / RECORD).unlink(), "its record is missing or damaged"),
        (lambda files: (files.parent / RECORD).write_text("", encoding="utf-8"), "its record is missing or damaged"),
        (lambda files: (files.parent / RECORD).write_text("[1]", encoding="utf-8"), "its record is missing or damaged"),
        (lambda files: (files.parent / RECORD).write_bytes(b"\xff\xfe\x00"), "its record is missing or damaged"),
        (lambda files: os.truncate(files.parent / RECORD, 100), "its record is missing or damaged"),
    ],
    ids=["cut", "byte", "file gone", "folder gone", "a folder", "no record", "empty", "list", "noise", "half"],
)  # fmt: skip
def test_a_damaged_entry_is_made_again_and_the_damage_named(made: Recipe, damage: Damage, why: str) -> None:
    before = (made.results / "text.txt").read_bytes()
    damage(made.entry("write") / "files")
    said = made.run()
    assert said.keys() == {"write"}
    assert said["write"].startswith(f"damaged: {why}")
    assert (made.results / "text.txt").read_bytes() == before
    assert made.run() == {}


@pytest.mark.parametrize("field", ["key", "digest", "files", "made", "dependencies", "seconds"])
def test_a_record_damaged_in_one_place_is_damage(made: Recipe, field: str) -> None:
    file = made.entry("write") / RECORD
    record = read_json(file)
    broken = {"key": "0" * 32, "digest": "0" * 32, "files": {}, "made": "then", "dependencies": {}, "seconds": None}
    file.write_text(json.dumps({**record, field: broken[field]}), encoding="utf-8")
    assert made.planned()["write"].startswith("to be made: damaged: ")
    assert set(made.run()) == {"write"}
    made.run("writing.text=b")  # looks for what it differs from among all records


def test_a_damaged_record_of_another_result_does_no_harm(made: Recipe) -> None:
    made.run("writing.text=b")
    for file in made.store.glob("write/*/record.json"):
        record = read_json(file)
        if record["dependencies"]["settings"]["text"] == "b":
            file.write_text(json.dumps({**record, "made": None, "dependencies": None}), encoding="utf-8")
    assert set(made.run("writing.text=c")) >= {"write"}
    assert made.cli("clean").returncode == 0


def test_a_damaged_entry_in_the_middle_does_not_remake_what_follows(made: Recipe) -> None:
    (made.entry("double") / "files" / "text.txt").unlink()
    assert made.run().keys() == {"double"}


def fool_the_memory(recipe: Recipe) -> Path:
    """Damage a file, and make the memory vouch for it, as after damage that changes no times."""
    file = recipe.entry("write") / "files" / "text.txt"
    whole = file.read_bytes()
    known = digest(file)
    rewrite(file, whole.replace(b"aone", b"aonE"))
    store = Store(recipe.store)
    store.memo.note(file, known)
    store.memo.save()
    return file


def test_verify_reads_every_byte_of_what_is_found(made: Recipe) -> None:
    file = fool_the_memory(made)
    assert made.run() == {}  # that is what --verify is for
    assert made.run("--verify") == {"write": "damaged: the content of text.txt is not what was recorded"}
    assert b"aonE" not in file.read_bytes()
    assert made.run() == made.run("--verify") == {}


def test_a_lost_memory_loses_no_result(made: Recipe) -> None:
    (made.store / "memo.json").unlink()
    assert made.run() == {}
    (made.store / "memo.json").write_text("{", encoding="utf-8")
    assert made.run() == {}


def test_stale_scratch_is_swept(made: Recipe) -> None:
    (made.store / ".scratch" / "abc" / "files").mkdir(parents=True)
    (made.store / ".scratch" / "removed-abc-1").mkdir()
    made.run()
    assert list((made.store / ".scratch").iterdir()) == []


def test_scratch_to_go_on_from_is_kept_for_a_week(made: Recipe) -> None:
    fresh, stale = (made.store / ".scratch" / name / "files" / ".resume" for name in ("fresh", "stale"))
    fresh.mkdir(parents=True)
    stale.mkdir(parents=True)
    week = time.time() - 8 * 24 * 3600
    os.utime(stale, (week, week))
    made.run()
    assert [scratch.name for scratch in (made.store / ".scratch").iterdir()] == ["fresh"]


def test_scratch_that_somebody_works_in_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.scratch / "abc").mkdir(parents=True)
    with locks.held(store.locks / "abc.lock"):
        store.sweep()
        assert (store.scratch / "abc").exists()
    store.sweep()
    assert not (store.scratch / "abc").exists()


def test_logs_are_kept_but_are_no_part_of_the_content(toy: Recipe) -> None:
    toy.edit("    return _text(out, [config", "    import time\n\n    (out / 'logs').mkdir()\n"
             "    (out / 'logs' / 'times.txt').write_text(str(time.time_ns()))\n    return _text(out, [config")  # fmt: skip
    toy.run()
    assert toy.run("--force", "write") == {"write": "forced"}
    (toy.entry("write") / "files" / "logs" / "times.txt").unlink()
    assert toy.run() == {"write": "damaged: logs/times.txt is missing or cannot be read"}


def test_a_stage_may_write_folders_and_empty_files(toy: Recipe) -> None:
    toy.edit("    return _text(out, [config", "    (out / 'a' / 'b').mkdir(parents=True)\n"
             "    (out / 'a' / 'b' / 'Ünï cödé.txt').touch()\n    return _text(out, [config")  # fmt: skip
    toy.run()
    assert read_json(toy.entry("write") / RECORD)["files"].keys() == {"a/b/Ünï cödé.txt", "text.txt"}
    assert toy.run() == {}


def test_a_stage_may_copy_its_input_read_only_as_it_is(toy: Recipe) -> None:
    """Also where nobody is almighty: root's power to write to read-only files is taken away."""
    toy.edit("from pathlib import Path", "import shutil\nfrom pathlib import Path")
    toy.edit("    lines = (written.path", "    shutil.copytree(written.path, out / 'copy')\n    lines = (written.path")
    drop = toy.file.parent / "sitecustomize.py"
    drop.write_text(
        "import ctypes, os, sys\n"
        "if sys.platform == 'linux' and os.geteuid() == 0 and 'DROPPED' not in os.environ:\n"
        "    os.environ['DROPPED'] = '1'\n"
        "    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)\n"  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE: holds from the next program on
        "    os.execv(sys.executable, sys.orig_argv)\n",
        encoding="utf-8",
    )
    assert len(toy.run(PYTHONPATH=str(toy.file.parent))) == 4
    assert toy.run() == {}


def test_a_half_made_entry_is_not_seen(made: Recipe) -> None:
    entry = made.entry("count")
    half = made.store / ".scratch" / entry.name
    os.replace(entry, half)  # as if killed after the record was written, before the entry was put in its place
    assert made.run().keys() == {"count"}
    assert made.entry("count") == entry


DEPENDS = {"stage": "train", "libraries": {}}


def training(out: Path) -> None:
    """A stage that goes on from what it left, and says so."""
    resume = out / RESUME
    resume.mkdir(exist_ok=True)
    (out / "went_on.txt").write_text(str((resume / "state").exists()), encoding="utf-8")
    (resume / "state").touch()


@pytest.mark.parametrize("where", ["_flush", "durable.write", "os.replace"])
def test_what_can_be_gone_on_from_stays_until_the_result_is_in_its_place(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Store(tmp_path)
    home = tmp_path / "train" / key(DEPENDS)
    replace = os.replace

    def full(*given: Any, **more: Any) -> Any:
        if where == "os.replace" and Path(given[1]) != home:
            return replace(*given)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr(f"pipeline.store.{where}", full)
        kept.make(DEPENDS, training)
    kept.sweep()
    kept.make(DEPENDS, training)
    assert (home / "files" / "went_on.txt").read_text(encoding="utf-8") == "True"
    assert sorted(file.name for file in home.rglob("*")) == ["files", RECORD, "went_on.txt"]
    assert list(kept.scratch.iterdir()) == []


def test_a_process_that_dies_while_it_finishes_leaves_what_can_be_gone_on_from(tmp_path: Path) -> None:
    dying = (
        "import os, signal\nfrom pathlib import Path\nfrom pipeline import store\n"
        "from tests.engine.test_store import DEPENDS, training\n"
        "store._total = lambda listed: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"store.Store(Path({str(tmp_path)!r})).make(DEPENDS, training)\n"
    )
    assert subprocess.run([sys.executable, "-c", dying], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    kept = Store(tmp_path)
    kept.sweep()
    record = kept.make(DEPENDS, training)
    assert (kept.files(record) / "went_on.txt").read_text(encoding="utf-8") == "True"


def test_what_a_finished_training_left_is_swept(made: Recipe) -> None:
    (made.entry("write") / RESUME).mkdir()
    assert made.run() == {}
    assert not (made.entry("write") / RESUME).exists()


def test_a_result_that_is_made_again_is_there_before_the_old_one_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, deleted = Store(tmp_path), []

    def delete(folder: Path, **more: Any) -> None:
        deleted.append((folder.name.partition("-")[0], kept.find(DEPENDS) is not None))

    kept.make(DEPENDS, lambda out: (out / "a.txt").touch())
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", delete)
        kept.make(DEPENDS, lambda out: (out / "a.txt").touch())
    assert ("removed", True) in deleted and ("removed", False) not in deleted
