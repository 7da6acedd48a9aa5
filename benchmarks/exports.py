"""How fast the forms of a fine-tuned model answer on this CPU, side by side.

    python -m pipeline run sentiment export.formats=safetensors,onnx,onnx-int8
    python benchmarks/exports.py results/sentiment [--batch 32] [--length 64] [--rounds 3]

Each form in a process of its own, for the threads of one would wait in the way of another's; in turns, round after round, so that
what else the machine does hits all of them.  The Hugging Face folder, run by PyTorch in fp32, is what the others are compared
with.  Rows are full: as many tokens as ``--length`` says, no padding.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np

from pipeline import formats
from pipeline.formats import alone

FORMS: tuple[formats.Name, ...] = ("safetensors", "onnx", "onnx-fp16", "onnx-int8", "openvino", "litert")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/RECIPE, or a folder with model/ and other forms")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    batches = [inputs(options.results, rows, options.length) for rows in sorted({1, options.batch})]
    places = {name: options.results / ("model" if name == "safetensors" else name) for name in FORMS}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in FORMS if places[name].is_dir()}
    for _ in range(options.rounds):
        for name, told in found.items():
            told.append(alone.run(formats.kind(name), places[name], batches)[1]["milliseconds"])
    for rows in (str(len(batch["input_ids"])) for batch in batches):
        print(f"batch {rows}, length {options.length}")
        times = {name: statistics.median(each[rows] for each in told) for name, told in found.items()}
        for name, value in times.items():
            ratio = times["safetensors"] / value
            print(f"  {name:<12}{value:>9.2f} ms{1000 * int(rows) / value:>9.0f} rows/s{ratio:>7.2f} x", flush=True)


def inputs(results: Path, rows: int, length: int) -> dict[str, np.ndarray]:
    config, decision = (
        json.loads((results / "model" / f"{name}.json").read_text(encoding="utf-8")) for name in ("config", "decision")
    )
    ids = np.random.default_rng(17).integers(0, config["vocab_size"], (rows, length))
    filled = {"attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {"input_ids": ids, **{name: filled[name] for name in decision["inputs"] if name in filled}}


if __name__ == "__main__":
    main()
