"""Datasets of the Hub: got as files, and read like any others, so that "null" stays text there too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.corpora import files
from pipeline.errors import UserError
from pipeline.hub import explained, snapshot
from pipeline.progress import say


def download(name: str, revision: str) -> Path:
    """The files of a dataset at its commit, in the Hub's cache.

    Raises:
        UserError: there is no such dataset, or nothing in it that can be read here, or the Hub cannot be reached.
    """
    patterns = [f"*{ending}" for ending in (*files.FORMATS, ".txt", "README.md")]
    say(f"{name} at {revision[:8]}, from the Hub")
    with explained("dataset", name):
        folder = snapshot("dataset", name, revision, patterns)
    if not folder.is_dir():
        raise UserError(f"{name}: the dataset has no file that can be read here; it reads {', '.join(files.FORMATS)}")
    return folder


@contextmanager
def named_after(name: str, folder: Path) -> Iterator[None]:
    """Problems in a download are told by the name of the dataset, not by its place in a cache."""
    try:
        yield
    except UserError as error:
        raise UserError(*(problem.replace(str(folder), name) for problem in error.problems)) from None


def names_in_card(folder: Path, columns: Sequence[str]) -> list[str]:
    """The label names that a dataset's card states for the first of ``columns`` that it has, if it does: of one label a
    row, or of a list of them."""
    from huggingface_hub import DatasetCard

    file = folder / "README.md"
    try:
        info = DatasetCard.load(file).data.get("dataset_info") if file.is_file() else None
    except Exception:  # a card that is no YAML states nothing
        return []
    for part in info if isinstance(info, list) else [info or {}]:
        features = {feature.get("name"): feature for feature in part.get("features", [])}
        feature: dict[str, Any] = next((features[name] for name in columns if name in features), {})
        kinds = [feature.get(name) for name in ("dtype", "sequence", "list")]
        for kind in [*kinds, *(kind.get("dtype") for kind in kinds if isinstance(kind, dict))]:
            if isinstance(kind, dict) and "class_label" in kind:
                names = kind["class_label"]["names"]
                return [names[str(i)] for i in range(len(names))]
    return []
