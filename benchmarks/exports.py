"""How fast the forms of a fine-tuned model answer on this CPU, side by side.

    python -m pipeline run sentiment export.formats=safetensors,onnx,onnx-int8
    python benchmarks/exports.py results/sentiment [--batch 32] [--length 64] [--rounds 15]

All forms are loaded in this one process and asked in turns, round after round, so that what else the machine does hits all of
them; PyTorch in fp32 is what the others are compared with.  Rows are full: as many tokens as ``--length`` says, no padding.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import formats

FORMS: tuple[formats.Name, ...] = ("onnx", "onnx-fp16", "onnx-int8", "openvino", "litert")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/RECIPE, or a folder with model/ and other forms")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    runs = runtimes(options.results)
    vocabulary = json.loads((options.results / "model" / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    for batch in options.batch:
        ids = np.random.default_rng(17).integers(0, vocabulary, (batch, options.length))
        seconds = timed(runs, inputs(options.results, ids), options.rounds)
        print(f"batch {batch}, length {options.length}")
        first = seconds["pytorch fp32"]
        for name, value in seconds.items():
            print(f"  {name:<14}{value * 1000:>9.1f} ms{batch / value:>9.0f} rows/s{first / value:>7.2f} x", flush=True)


def inputs(results: Path, ids: np.ndarray) -> dict[str, np.ndarray]:
    decision = json.loads((results / "model" / "decision.json").read_text(encoding="utf-8"))
    filled = {"attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {"input_ids": ids, **{name: filled[name] for name in decision["inputs"] if name in filled}}


def runtimes(results: Path) -> dict[str, Callable[[dict[str, np.ndarray]], Any]]:
    import torch

    network = formats.kind("safetensors").load(results / "model")

    def bf16(given: dict[str, np.ndarray]) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return network.run(given)

    found: dict[str, Callable[[dict[str, np.ndarray]], Any]] = {"pytorch fp32": network.run, "pytorch bf16": bf16}
    for name in FORMS:
        if (results / name).is_dir():
            found[name] = formats.kind(name).load(results / name).run
    return found


def timed(runs: dict[str, Any], given: dict[str, np.ndarray], rounds: int) -> dict[str, float]:
    """Seconds a batch, the median of the rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 2):
        for name, run in runs.items():
            begin = time.perf_counter()
            run(given)
            if number > 1:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(each) for name, each in seconds.items()}


if __name__ == "__main__":
    main()
