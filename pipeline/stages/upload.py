"""Bring a repository on the Hub up to date with files on this machine, in one commit or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from pipeline.artifacts import Bundle
from pipeline.patience import LONG, patiently
from pipeline.progress import say

BLOCK = 1 << 20
# Names that an upload gives: of what an earlier one left under them, files that this one lacks belong to another model.
OURS = re.compile(
    rf"({'|'.join(Bundle.forms)}|target|predictions)/.*|(model|adapter_model)(-[0-9]+-of-[0-9]+)?\.safetensors"
    r"|(model|adapter_model)\.safetensors\.index\.json|vocab\.txt|merges\.txt"
    r"|(adapter_config|decision|generation_config|vocab|special_tokens_map|added_tokens)\.json|tokenizer\.model|chat_template\.jinja"
)


@dataclass(frozen=True)
class Placed:
    """Where the files are: the commit, its address and the tag; ``sent`` if that took a commit."""

    commit: str
    address: str
    tag: str
    sent: bool


class Local:
    """A file on this machine, read once however often it is compared."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.sha256 = _digest(path, sha256())

    @cached_property
    def git(self) -> str:
        """The id that git gives its content."""
        return _digest(self.path, sha1(b"blob %d\0" % self.size))

    def is_in(self, entry: Any) -> bool:
        """Whether a file of a repository, as the Hub lists it, has this content; there may be none."""
        if entry is None or entry.size != self.size:
            return False
        return bool(entry.lfs.sha256 == self.sha256 if entry.lfs else entry.blob_id == self.git)


@dataclass(frozen=True)
class Upload:
    """Files by their names in a repository, and whether to open a pull request with them."""

    repo: str
    files: Mapping[str, Local]
    pull: bool = False

    @property
    def tag(self) -> str:
        """A name for what the files hold: the same files always have the same."""
        known = "".join(f"{file.sha256} {name}\n" for name, file in sorted(self.files.items()))
        return f"run-{sha256(known.encode()).hexdigest()[:12]}"


def upload(repo: str, files: Mapping[str, Path], where: str, *, pull: bool = False) -> Placed:
    """Send what differs from the repository's main branch in one commit, and tag it.

    Each attempt begins by looking at what is there, so one that is repeated, be it because the connection broke or because
    the whole command is run again, sends nothing twice: large files that arrived are not asked for again, and a commit
    that was made is found.

    Args:
        where: what is said of an attempt that fails, and of files that go, begins with it.
        pull: open a pull request instead, unless there is one with these very files.

    Raises:
        Exception: whatever the Hub's client raises, when no further attempt can help.
    """
    wanted, commits = Upload(repo, {name: Local(file) for name, file in files.items()}, pull), [0]
    return patiently(lambda: _attempt(wanted, where, commits), where, LONG)


def _attempt(wanted: Upload, where: str, commits: list[int]) -> Placed:
    """One of several; ``commits`` counts those that were asked for, of which an answer may have been lost."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    hub, title = HfApi(), f"Fine-tuned model, {wanted.tag}"
    head: str = hub.repo_info(wanted.repo).sha
    there = _tree(hub, wanted.repo, head)
    changed = {name: file for name, file in wanted.files.items() if not file.is_in(there.get(name))}
    left = sorted(name for name in there if OURS.fullmatch(name) and name not in wanted.files)
    if not changed and not left:
        found = Placed(head, f"{hub.endpoint}/{wanted.repo}", wanted.tag, sent=commits[0] > 0)
    elif wanted.pull and (number := _open_pull(hub, wanted, title)):
        address = f"{hub.endpoint}/{wanted.repo}/discussions/{number}"
        commit = hub.repo_info(wanted.repo, revision=f"refs/pr/{number}").sha
        return Placed(commit, address, wanted.tag, sent=commits[0] > 0)
    else:
        if left:
            say(f"{where}: no part of this push, and taken away: {', '.join(left)}; revision {head[:8]} keeps them")
        new: list[Any] = [CommitOperationAdd(name, file.path) for name, file in sorted(changed.items())]
        gone = [CommitOperationDelete(name, is_folder=False) for name in left]
        commits[0] += 1
        made = hub.create_commit(
            wanted.repo, operations=new + gone, commit_message=title, parent_commit=head, create_pr=wanted.pull
        )
        found = Placed(made.oid, made.pr_url or f"{hub.endpoint}/{wanted.repo}", wanted.tag, sent=True)
    if not wanted.pull:
        hub.create_tag(wanted.repo, tag=wanted.tag, revision=found.commit, exist_ok=True)
    return found


def _tree(hub: Any, repo: str, revision: str) -> dict[str, Any]:
    """Every file of a revision, as the Hub lists it."""
    listed = hub.list_repo_tree(repo, recursive=True, revision=revision)
    return {entry.path: entry for entry in listed if hasattr(entry, "blob_id")}


def _open_pull(hub: Any, wanted: Upload, title: str) -> int:
    """The number of the open pull request that would bring these very files; 0 if there is none."""
    for each in hub.get_repo_discussions(wanted.repo, discussion_type="pull_request"):
        if each.is_pull_request and each.status in ("open", "draft") and each.title == title:
            there = _tree(hub, wanted.repo, f"refs/pr/{each.num}")
            if all(file.is_in(there.get(name)) for name, file in wanted.files.items()):
                return int(each.num)
    return 0


def _digest(file: Path, total: Any) -> str:
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(BLOCK), b""):
            total.update(block)
    return str(total.hexdigest())
