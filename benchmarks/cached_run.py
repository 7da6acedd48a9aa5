"""A run that finds everything, against a ``dvc repro`` that finds everything.

    python benchmarks/cached_run.py [--dvc PATH] [--repeat N] [SETTING=VALUE …]

Needs a finished ``make finetune RECIPE=sentiment`` (with the same settings) and, for the comparison, DVC: in an
environment of its own, ``pip install dvc``, and name its command.  DVC gets seven trivial stages in a chain, each copying a
line of text; this project its eight real ones.  Printed: seconds of the whole process, in turn, and the ratio.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGES = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dvc", default=shutil.which("dvc"))
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("settings", nargs="*")
    options = parser.parse_args()
    ours = [sys.executable, "-m", "pipeline", "run", "sentiment", *options.settings]
    if "making" in run(ours, Path.cwd()):
        sys.exit("the first run had something to make; run this again")
    with tempfile.TemporaryDirectory() as place:
        theirs = [options.dvc, "repro", "--quiet"] if options.dvc else []
        if theirs:
            prepare(options.dvc, Path(place))
        found: dict[str, list[float]] = {"ours": [], "dvc": []}
        for _ in range(options.repeat):
            found["ours"].append(seconds(ours, Path.cwd()))
            if theirs:
                found["dvc"].append(seconds(theirs, Path(place)))
    for name, values in found.items():
        if values:
            print(f"{name}: {statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})")
    if theirs:
        ratio = statistics.median(b / a for a, b in zip(found["ours"], found["dvc"], strict=True))
        print(f"dvc repro takes {ratio:.1f} times as long")


def prepare(dvc: str, place: Path) -> None:
    (place / "0.txt").write_text("a line\n", encoding="utf-8")
    stages = "".join(
        f"  copy{n}:\n    cmd: cp {n}.txt {n + 1}.txt\n    deps: [{n}.txt]\n    outs: [{n + 1}.txt]\n"
        for n in range(STAGES)
    )
    (place / "dvc.yaml").write_text(f"stages:\n{stages}", encoding="utf-8")
    run([dvc, "init", "--no-scm", "--quiet"], place)
    run([dvc, "config", "core.analytics", "false"], place)
    run([dvc, "repro", "--quiet"], place)


def seconds(command: list[str], place: Path) -> float:
    begun = time.perf_counter()
    run(command, place)
    return time.perf_counter() - begun


def run(command: list[str], place: Path) -> str:
    return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
