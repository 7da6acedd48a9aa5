"""The tokenize stage, from Arrow to Arrow, against raw ``tokenizers.encode_batch`` on the same text in memory.

    python benchmarks/tokenizing.py [--rows N] [--repeat N]

The text is that of ``recipes/data/reviews``, repeated.  The stage reads, encodes, cuts, counts and writes; the other
side only encodes.  Printed: texts a second of both, in turn, and the ratio.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path

from pipeline.artifacts import Corpus
from pipeline.corpora.source import Source
from pipeline.stages.collect import Collection, collect
from pipeline.stages.fetch import Checkpoint, Fetching, fetch
from pipeline.stages.tokenize import Tokenization, tokenize
from pipeline.tasks.classification import Classification, form


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        base = fetch(Fetching(Checkpoint()), folder(place / "base"))
        corpus = gather(place, options.rows)
        texts = corpus.table("train")["text"].to_pylist()
        ratios = []
        for turn in range(options.repeat + 1):
            raw = len(texts) / timed(lambda: encode(base.path, texts))
            out = folder(place / f"tokens-{turn}")
            stage = len(texts) / timed(
                lambda out=out: tokenize(Tokenization(Classification(), 128), out, base=base, corpus=corpus)
            )
            if turn:  # the first warms up
                ratios.append(stage / raw)
                print(f"encode_batch {raw:,.0f} texts/s, the stage {stage:,.0f} texts/s, ratio {stage / raw:.2f}")
    print(f"the stage reaches {statistics.median(ratios):.2f} of encode_batch ({min(ratios):.2f} to {max(ratios):.2f})")


def gather(place: Path, rows: int) -> Corpus:
    with Path("recipes/data/reviews/train.csv").open(encoding="utf-8", newline="") as stream:
        reviews = list(csv.reader(stream))[1:]
    for split, count in (("train", rows), ("validation", 10)):
        with (folder(place / "data") / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("text", "label"))
            writer.writerows(
                (f"{text} {i}", label) for i in range(count) for text, label in [reviews[i % len(reviews)]]
            )
    return collect(Collection(Source(str(place / "data")), form(Classification())), folder(place / "corpus"))


def encode(folder: Path, texts: list[str]) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    tokenizer.encode_batch(texts)


def timed(work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


if __name__ == "__main__":
    main()
