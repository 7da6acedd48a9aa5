"""An export as its users run it: in a process of its own, without the frameworks that made it; and how fast it is there."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline import processors
from pipeline.errors import CheckFailed
from pipeline.features import Inputs

if TYPE_CHECKING:
    import numpy as np

FRAMEWORKS = ("torch", "tensorflow", "keras", "transformers")
WARM, LEAST, MOST = 2, 5, 50  # runs: not timed; at least, at most timed
SECONDS = 0.5  # of timing each batch size, between the two
NEW_TOKENS = 16  # of a text that is written to see how fast


def run(
    form: Any, place: Path, batches: Sequence[Inputs], *, writes: bool = False, timing: bool = True
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """What an export answers in a process of its own, as :func:`answer` has it; and its speed there, if ``timing`` is
    wanted: the median of many runs.

    Args:
        form: see :class:`pipeline.formats.Form`; frameworks that it does not need are kept from being imported.
        batches: of the sizes to time.

    Raises:
        CheckFailed: it cannot be loaded or run there.
    """
    import numpy as np

    without = [name for name in FRAMEWORKS if name not in form.needs]
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, inputs in enumerate(batches):
            np.savez(folder / f"{number}.npz", **inputs)  # type: ignore[arg-type]
        order = {"place": str(place.absolute()), "folder": name, "count": len(batches)}
        flags = {"writes": writes, "timing": timing, "without": without}
        # Named like this, all that runs there is seen by whoever looks at what this function depends on.
        code = f"from {form.__module__} import {form.__name__} as form; from {__name__} import {main.__name__} as run; run(form)"
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, json.dumps({**order, **flags})],
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, encoding="utf-8",
        )  # fmt: skip
        if done.returncode:
            raise CheckFailed(_refusal(form.name, without, done.returncode, done.stderr))
        found = [np.load(folder / f"{number}.npy") for number in range(len(batches))]
        return found, json.loads((folder / "speed.json").read_text(encoding="utf-8"))


def _refusal(name: str, without: Sequence[str], code: int, told: str) -> str:
    if code < 0:
        why = f"was killed by signal {-code}, perhaps for want of memory; take {name} out of export.formats, or try with more"
        return f"{name}: in a process of its own, it {why}"
    last = (told.strip().splitlines() or [f"exit code {code}"])[-1]
    return (
        f"{name}: cannot be run in a process of its own without {', '.join(without)}: {last:.300}; the export was not kept: "
        f"take {name} out of export.formats"
    )


def main(form: Any) -> None:
    """Do what the other process asks for."""
    import numpy as np

    order = json.loads(sys.argv[1])
    for name in order["without"]:
        sys.modules[name] = None  # type: ignore[assignment]
    folder, writes = Path(order["folder"]), order["writes"]
    runtime = form.load(Path(order["place"]))
    seconds = {}
    for number in range(order["count"]):
        with np.load(folder / f"{number}.npz") as file:
            inputs = dict(file)
        np.save(folder / f"{number}.npy", answer(runtime, inputs, writes))
        if order["timing"]:
            seconds[len(inputs["input_ids"])] = _median(partial(answer, runtime, inputs, writes))
    (folder / "speed.json").write_text(json.dumps(_speed(seconds)), encoding="utf-8")


def answer(runtime: Any, inputs: Inputs, writes: bool) -> np.ndarray:
    """Logits; or token ids (batch × :data:`NEW_TOKENS`) where text is written, always as many."""
    import numpy as np

    if not writes:
        found: np.ndarray = runtime.run(inputs)
        return found
    settings = {"num_beams": 1, "do_sample": False, "min_new_tokens": NEW_TOKENS, "max_new_tokens": NEW_TOKENS}
    return np.array(runtime.generate(inputs, settings))


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """How far two answers are apart at most."""
    import numpy as np

    return float(np.abs(found - wanted).max()) if found.shape == wanted.shape else float("inf")


def _speed(seconds: dict[int, float]) -> dict[str, Any]:
    """Milliseconds by the rows that are answered at once, rows a second of the most, and how many processors did it."""
    if not seconds:
        return {}
    rows = max(seconds)
    return {
        "milliseconds": {str(size): float(f"{1000 * value:.3g}") for size, value in seconds.items()},
        "rows_per_second": float(f"{rows / seconds[rows]:.3g}"),
        "processors": processors.available(),
    }


def _median(work: Callable[[], object]) -> float:
    """Seconds."""
    for _ in range(WARM):
        work()
    found: list[float] = []
    while len(found) < LEAST or (len(found) < MOST and sum(found) < SECONDS):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return statistics.median(found)
