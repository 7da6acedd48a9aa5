"""Where labelled text comes from."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.corpora import files
from pipeline.fields import require
from pipeline.hub import looks_like_id, pin
from pipeline.privacy.findings import Kind


@dataclass(frozen=True)
class Source:
    """Where labelled text comes from, and how to read it."""

    source: str
    """a file, a folder with train, validation and test files or LABEL/*.txt, or a dataset's id on the Hub"""
    revision: str = ""
    """of a Hub dataset: a commit, branch or tag"""
    subset: str = ""
    """the folder inside the source to read, where it has several"""
    encoding: str = ""
    """of text files; empty: UTF-8, UTF-16 and GB18030 are recognized"""
    labels: tuple[str, ...] = ()
    """label names in the order of their numbers; empty: labels.json beside the data, else the sorted values"""
    validation: float = 0.1
    """share of the training rows to validate on, where the source has no validation split"""
    test: float = 0.1
    """share of the rows to test on, where the source is not split at all"""
    duplicates: Literal["keep", "drop"] = "keep"
    """drop: leave training rows out whose text came before or is in another split"""
    mask: tuple[Kind, ...] = ()
    """what to put [EMAIL] and the like in the place of, such as email,phone: docs/privacy.md says what is found"""
    limit: int = 0
    """take so many rows of each split, for a quick trial; 0: all"""
    seed: int = 17
    """for which rows are dealt to which split"""

    def __post_init__(self) -> None:
        require(bool(self.source), "source is empty; name a file, a folder or a Hub dataset")
        require(0 <= self.validation < 1, "validation is a share of the rows, from 0 to below 1")
        require(0 <= self.test < 1, "test is a share of the rows, from 0 to below 1")
        require(self.validation + self.test < 1, "validation and test leave no rows to train on")
        require(self.limit >= 0, "limit is a number of rows, or 0 for all")
        require(0 <= self.seed < 2**32, "seed is a whole number from 0 to 4294967295")

    @property
    def path(self) -> Path:
        """Where it is, if it is on disk."""
        return Path(self.source).expanduser()

    @property
    def remote(self) -> bool:
        """Whether it names a dataset on the Hub: no such thing on disk, and the form of an id."""
        place = self.path
        file = place.suffix.lower() in (*files.FORMATS, files.PLAIN)
        return not place.exists() and not file and looks_like_id(self.source)

    def pinned(self, known: MutableMapping[str, str]) -> Source:
        """With the Hub's commit in place of a branch."""
        if not self.remote:
            require(
                not self.revision, f"corpus.revision={self.revision}: {self.source} is on disk and has no revisions"
            )
            return self
        return replace(self, revision=pin("dataset", self.source, self.revision, known))

    def depends(self) -> dict[str, Any]:
        """Files count by their content, not by where they lie."""
        if self.remote:
            return {}
        layout = files.lay(self.path, self.subset, plain=True)
        found = {part: [(file.suffix.lower(), file) for file in some] for part, some in layout.parts.items()}
        return {"source": {"files": found, "labels": layout.labels}}
