"""Put a model, its exports, its scores and its card on the Hub."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts import ADAPTER, BESIDE, Bundle, Card, Receipt, Scores
from pipeline.errors import UserError
from pipeline.fields import neutral, require
from pipeline.hub import refused_name
from pipeline.patience import LONG, patiently, reason
from pipeline.privacy import scan
from pipeline.progress import say
from pipeline.stages import rights
from pipeline.stages.upload import Placed, upload

CARD = "set card.license or card.language, or whatever it names, and run the same again: the rest is kept"


@dataclass(frozen=True)
class Publication:
    """Where to publish; nothing is published unless ``repo`` is set."""

    repo: str = ""
    """owner/name on the Hub"""
    public: bool = False
    """make a new repository public; one that exists stays as it is"""
    pr: bool = False
    """open a pull request on a repository that exists, instead of writing to it"""
    weights: Literal["merged", "adapter"] = "merged"
    """merged: the whole model and its exports; adapter: what training.adapter learned, for whoever has the base model"""
    predictions: bool = False
    """upload predictions/ too: every text of validation and test split, with its answer"""
    allow: tuple[str, ...] = neutral(())
    """what looks personal or secret and may be published: KIND:MARK as a refusal names it, or a kind such as email"""

    def __post_init__(self) -> None:
        scan.require_known(self.allow)
        refused = refused_name(self.repo) if self.repo else ""
        require(not refused, f"repo={self.repo}: {refused}")

    def check(self, adapter: bool) -> None:
        """An adapter can be published only where there is one.

        Raises:
            UserError: there is none.
        """
        none = "publication.weights=adapter: none is learned; set training.adapter=lora, or leave it out"
        require(adapter or self.weights == "merged", none)

    def __str__(self) -> str:
        return f"publication.repo={self.repo}"


@dataclass(frozen=True)
class Publishing:
    """A publication, and what is known beforehand of its card's metadata."""

    publication: Publication
    metadata: Mapping[str, Any] = neutral(None)  # the card itself is an input

    def undone_by(self, settings: Mapping[str, Any]) -> bool:
        """Whether a push with other settings, as its record has them, wrote over what one with these did."""
        ours, theirs = self.publication, settings["publication"]
        return not ours.pr and not theirs["pr"] and ours.repo == theirs["repo"]

    def preflight(self) -> None:
        """Make sure, before anything is made, that the Hub will take the upload.

        Raises:
            UserError: see :func:`pipeline.stages.rights.check`.
        """
        to = self.publication
        rights.check(to.repo, pull=to.pr, metadata=self.metadata or {}, where=str(to))


def publish(config: Publishing, out: Path, *, bundle: Bundle, scores: Scores, card: Card) -> Receipt:
    """Bring the repository up to date in one commit and tag it, or open a pull request; the receipt names them.

    Old revisions stay.  No text that was trained on is uploaded, and none of the other splits unless it is asked for.

    Raises:
        UserError: the Hub did not take it, for whatever reason; the upload can be repeated, what was made before is kept.
    """
    to = config.publication
    files = _files(to, bundle, scores, card)
    scan.check(files, to.allow)
    try:
        placed = _placed(to, files)
    except Exception as error:  # whatever the Hub's client makes of an answer, nothing of it goes out as it is
        way_out = CARD if "Invalid metadata" in str(error) else "run the same again: the rest is kept"
        raise UserError(f"{to}: the upload failed ({reason(error)}); {way_out}") from None
    say(f"{'published' if placed.sent else 'nothing has changed'}: {placed.address}")
    say(f"commit {placed.commit[:8]}" + ("" if to.pr else f", tag {placed.tag}"))
    made = Receipt(out)
    receipt = {"repo": to.repo, "commit": placed.commit, "address": placed.address}
    made.write("receipt.json", receipt if to.pr else {**receipt, "tag": placed.tag})
    return made


def _placed(to: Publication, files: Mapping[str, Path]) -> Placed:
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    hub = HfApi()
    with nullcontext() if sys.stderr.isatty() else disable_progress_bars():
        if not to.pr:
            patiently(lambda: hub.create_repo(to.repo, private=not to.public, exist_ok=True), str(to), LONG)
        private = patiently(lambda: hub.repo_info(to.repo), str(to), LONG).private
        if to.public and private:
            say(f"{to.repo} is private, and stays so; make it public in its settings on the Hub")
        elif not (to.public or private):
            say(f"{to.repo} is public, and stays so")
        size = sum(file.stat().st_size for file in files.values()) / 1e6
        say(f"{len(files)} files, {size:,.1f} MB, to {to.repo}")
        return upload(to.repo, files, str(to), pull=to.pr)


def _files(to: Publication, bundle: Bundle, scores: Scores, card: Card) -> dict[str, Path]:
    """What is uploaded, by its name there."""
    to.check((bundle.path / ADAPTER).exists())
    files = _below(bundle.path / "model")
    if to.weights == "adapter":
        files = {name: file for name, file in files.items() if not name.endswith((".safetensors", ".index.json"))}
        files |= _below(bundle.path / ADAPTER)
    else:
        for form in Bundle.forms:
            found = _below(bundle.path / form)
            files |= {f"{form}/{name}": file for name, file in found.items() if file.name not in BESIDE}
    if to.predictions:
        files |= {f"predictions/{name}": file for name, file in _below(scores.path / "predictions").items()}
    return {**files, "README.md": card.path / "README.md", "scores.json": scores.path / "scores.json"}


def _below(folder: Path) -> dict[str, Path]:
    """All files in a folder, by their names within it."""
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
