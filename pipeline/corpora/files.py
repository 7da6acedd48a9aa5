"""Which files of a source hold which split."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pipeline.errors import UserError

FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow")
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
WHOLE = "all"  # the one part of a source that is not split


@dataclass(frozen=True)
class Layout:
    """``parts``: for each split, or for :data:`WHOLE`, its files in order; a folder stands for a folder of
    texts, ``<label>/*.txt``.  ``labels``: a file with the label names."""

    parts: dict[str, tuple[Path, ...]]
    labels: Path | None = None


def lay(source: Path) -> Layout:
    """Find the files of a source on disk: one file, or a folder with split files, shards or text folders.

    Raises:
        UserError: there is nothing to read, or more than one way to read it.
    """
    if source.is_file():
        if source.suffix.lower() not in FORMATS:
            raise UserError(f"{source}: cannot read {source.suffix or 'a file without an ending'}; {_possible()}")
        return Layout({WHOLE: (source,)})
    if not source.is_dir():
        raise UserError(f"{source}: no such file or folder{_nearest(source)}")
    labels = source / "labels.json"
    parts = _split_files(source) or _text_folders(source)
    if not parts:
        inside = ", ".join(sorted(p.name for p in source.iterdir())[:8]) or "nothing"
        raise UserError(
            f"{source}: no labelled text found in this folder, which holds {inside}; it wants train.csv "
            f"(and validation.csv, test.csv) or LABEL/*.txt; {_possible()}"
        )
    if "train" not in parts and WHOLE not in parts:
        raise UserError(f"{source}: has {' and '.join(parts)} but no train split; add train.csv or the like")
    return Layout(parts, labels if labels.is_file() else None)


def _split_files(folder: Path) -> dict[str, tuple[Path, ...]]:
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in FORMATS)
    parts: dict[str, tuple[Path, ...]] = {}
    for split, names in NAMES.items():
        mine = [f for f in files if f.stem.lower() in names or f.stem.lower().startswith(tuple(f"{n}-" for n in names))]
        whole = [f for f in mine if f.stem.lower() in names]
        if len(whole) > 1 or (whole and len(mine) > 1):
            raise UserError(f"{folder}: {' and '.join(f.name for f in mine)} could all be the {split} split; leave one")
        if mine:
            parts[split] = tuple(mine)
    return parts


def _text_folders(folder: Path) -> dict[str, tuple[Path, ...]]:
    parts: dict[str, tuple[Path, ...]] = {}
    for split, names in NAMES.items():
        mine = [folder / name for name in names if _holds_texts(folder / name)]
        if mine:
            parts[split] = (mine[0],)
    return parts or ({WHOLE: (folder,)} if _holds_texts(folder) else {})


def _holds_texts(folder: Path) -> bool:
    return folder.is_dir() and any(True for _ in folder.glob("*/*.txt"))


def _nearest(source: Path) -> str:
    try:
        close = get_close_matches(source.name, os.listdir(source.parent), n=1)
    except OSError:
        return ""
    return f"; did you mean {source.parent / close[0]}?" if close else ""


def _possible() -> str:
    return f"it reads {', '.join(FORMATS)} and folders of .txt"
