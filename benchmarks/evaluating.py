"""Peak memory of evaluating models that predict tokens, by the number of rows.

    python benchmarks/evaluating.py [--rows 1000 3000 10000] [--recipe translate generate adapt]

Each measurement is a process of its own: the corpus of a recipe, its rows repeated to so many, an untrained network of the
recipe's default base, and the likelihoods of all rows and the text of none.  Printed: the peak of the process's memory beyond
what it held before the first row, and what the logits of all rows would take if they were collected.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--recipe", nargs="+", default=["translate", "generate", "adapt"])
    parser.add_argument("--one", action="store_true", help="measure in this process")
    options = parser.parse_args()
    for recipe in options.recipe:
        for rows in options.rows:
            if options.one:
                print(measured(recipe, rows), flush=True)
            else:
                command = [sys.executable, __file__, "--one", "--rows", str(rows), "--recipe", recipe]
                subprocess.run(command, check=True)


def measured(recipe: str, rows: int) -> str:
    import numpy as np

    from pipeline import backends
    from pipeline.artifacts import Tokens
    from pipeline.backends import Finetuning
    from pipeline.backends.data import Data
    from pipeline.backends.pytorch import network
    from pipeline.stages.fetch import Fetching, fetch
    from pipeline.stages.tokenize import Tokenization, tokenize

    module = import_module(f"recipes.{recipe}")
    config = module.Config()
    step = {each.name: each for each in module.plan(config).walk()}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for folder in ("base", "corpus", "tokens"):
            (place / folder).mkdir()
        kinds = backends.load("pytorch").KINDS[config.task.head]
        base = fetch(Fetching(config.base, kinds), place / "base")
        collect = step["collect"]
        corpus = collect.stage(collect.config, place / "corpus")
        tokens = tokenize(Tokenization(config.task, config.max_length), place / "tokens", base=base, corpus=corpus)
        data = Data(Finetuning(config.task, config.training), Tokens(tokens.path))
        net = network.load(base, config.task.head, [], config.training, data.seen, tokens)
        features = data.train.take(np.resize(np.arange(len(data.train)), rows))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        network.answers(net, config.task.head, features, 64, renumber=data.renumbered)
        beyond = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        places = int((features.lists("label").flat() >= 0).sum())
        logits = places * net.get_output_embeddings().weight.shape[0] * 4
    return f"{recipe:>10} {rows:>7,} rows  peak {beyond / 1024:>8,.0f} MB more; all logits: {logits / 2**20:>10,.0f} MB"


if __name__ == "__main__":
    main()
