"""Which files of a source hold which split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pipeline.errors import UserError

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow")
TAGGED = (".conll", ".conllu", ".bio", ".iob", ".iob2")  # a word a line
FORMATS = TABLES + TAGGED
PLAIN = ".txt"  # texts with nothing beside them
NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
WHOLE = "all"  # the one part of a source that is not split


@dataclass(frozen=True)
class Layout:
    """``folder``: where it is.  ``parts``: for each split, or for :data:`WHOLE`, its files in order; a folder stands for a folder of
    texts, ``<label>/*.txt``.  ``labels``: a file with the label names."""

    folder: Path
    parts: dict[str, tuple[Path, ...]]
    labels: Path | None = None


def lay(source: Path, subset: str = "", *, plain: bool = False) -> Layout:
    """Find the files of a source on disk: one file, or a folder with split files, shards or text folders.

    Args:
        plain: read .txt files too, in a folder where there is nothing else.

    Raises:
        UserError: there is nothing to read, or more than one way to read it.
    """
    if source.is_file():
        if source.suffix.lower() not in (*FORMATS, *[PLAIN] * plain):
            raise UserError(f"{source}: cannot read {source.suffix or 'a file without an ending'}; {_possible()}")
        return Layout(source.parent, {WHOLE: (source,)}, _labels_beside(source))
    if not source.is_dir():
        if what := oddity(source):
            raise UserError(f"{source}: {what}; it wants a file or a folder, to read more than once")
        raise UserError(f"{source}: no such file or folder{_nearest(source)}")
    source = _inner(source, subset)
    parts = _split_files(source) or _text_folders(source) or (_plain_files(source) if plain else {})
    if not parts:
        raise UserError(
            f"{source}: no labelled text found in this folder, which holds {_names(source)}; it wants train.csv "
            f"(and validation.csv, test.csv) or LABEL/*.txt; {_possible()}"
        )
    if "train" not in parts and WHOLE not in parts:
        raise UserError(f"{source}: no train split; there are {' and '.join(parts)}: add train.csv or the like")
    return Layout(source, parts, _labels_beside(source / "any"))


def oddity(place: Path) -> str:
    """What is there, for people, if it is neither a file nor missing."""
    kinds = {
        "a folder": place.is_dir(), "a pipe": place.is_fifo(), "a socket": place.is_socket(),
        "a device": place.is_char_device() or place.is_block_device(),
        "a link that leads nowhere": place.is_symlink() and not place.exists(),
    }  # fmt: skip
    return next((name for name, is_one in kinds.items() if is_one), "")


def _inner(source: Path, subset: str) -> Path:
    """The folder inside ``source`` to read: the one named, or the only one with split files if it has none itself."""
    if subset:
        if not (source / subset).is_dir():
            raise UserError(f"corpus.subset={subset}: {source} has no such folder; there are {_names(source)}")
        return source / subset
    if _split_files(source) or _text_folders(source):
        return source
    inner = [place for place in sorted(source.iterdir()) if place.is_dir() and _split_files(place)]
    if len(inner) > 1:
        names = ", ".join(place.name for place in inner)
        raise UserError(f"{source}: has several folders of splits: {names}; choose one with corpus.subset=NAME")
    return inner[0] if inner else source


def _names(folder: Path) -> str:
    """Some of what is in a folder."""
    return ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"


def _split_files(folder: Path, endings: Sequence[str] = FORMATS) -> dict[str, tuple[Path, ...]]:
    files = _files(folder, endings)
    parts: dict[str, tuple[Path, ...]] = {}
    for split, names in NAMES.items():
        mine = [f for f in files if f.stem.lower() in names or f.stem.lower().startswith(tuple(f"{n}-" for n in names))]
        whole = [f for f in mine if f.stem.lower() in names]
        if len(whole) > 1 or (whole and len(mine) > 1):
            raise UserError(f"{folder}: {' and '.join(f.name for f in mine)} could all be the {split} split; leave one")
        if mine:
            parts[split] = tuple(mine)
    return parts


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in endings)


def _plain_files(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Split files of nothing but texts; or all that there are, as one part."""
    files = _files(folder, [PLAIN])
    return _split_files(folder, [PLAIN]) or ({WHOLE: tuple(files)} if files else {})


def _text_folders(folder: Path) -> dict[str, tuple[Path, ...]]:
    parts: dict[str, tuple[Path, ...]] = {}
    for split, names in NAMES.items():
        mine = [folder / name for name in names if _holds_texts(folder / name)]
        if len(mine) > 1:
            raise UserError(f"{folder}: {' and '.join(m.name for m in mine)} could all be the {split} split; leave one")
        if mine:
            parts[split] = (mine[0],)
    return parts or ({WHOLE: (folder,)} if _holds_texts(folder) else {})


def _labels_beside(file: Path) -> Path | None:
    names = file.with_name("labels.json")
    return names if names.is_file() and names != file else None


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
