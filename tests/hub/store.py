"""What the Hub keeps: repositories of commits, each a tree of blobs, with branches, tags and pull requests."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

KINDS = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}  # in the address of a page
DATE = "2024-05-17T10:00:00.000Z"
ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in ("*.arrow", "*.bin", "*.h5", "*.model", "*.npy", "*.onnx", "*.parquet", "*.pb", "*.pt", "*.safetensors",
                    "saved_model/**/*", "*.tflite", "*.zip", "*tfevents*")
)  # fmt: skip
LARGE = 10_000_000  # bytes; beyond, a file goes to large file storage whatever its name


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str = "", message: str = "", body: Mapping[str, Any] | None = None) -> None:
        self.status, self.code, self.message, self.body = status, code, message, body


@dataclass(frozen=True)
class Blob:
    """A file's content; ``large`` if git holds no more than a pointer to it."""

    content: bytes
    large: bool = False

    @cached_property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()

    @cached_property
    def oid(self) -> str:
        """As git names it."""
        held = self.pointer if self.large else self.content
        return sha1(b"blob %d\0" % len(held) + held).hexdigest()

    @property
    def pointer(self) -> bytes:
        """See https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        return text.encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.oid

    def entry(self, path: str) -> dict[str, Any]:
        """A line of a tree listing."""
        found: dict[str, Any] = {"type": "file", "oid": self.oid, "size": len(self.content), "path": path}
        if self.large:
            found["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": len(self.pointer)}
        return found


Tree = dict[str, Blob]


@dataclass(frozen=True)
class Commit:
    """A tree, and where it came from."""

    tree: Tree
    title: str
    parent: str = ""

    @cached_property
    def oid(self) -> str:
        names = "".join(f"{name} {blob.oid}\n" for name, blob in sorted(self.tree.items()))
        return sha1(f"{self.parent}\n{self.title}\n{names}".encode()).hexdigest()

    def stores_large(self, name: str, size: int) -> bool:
        """Whether a file of this name and size belongs in large file storage, as ``.gitattributes`` says."""
        said = self.tree.get(".gitattributes", Blob(b"")).content.decode()
        patterns = [line.split()[0] for line in said.splitlines() if "filter=lfs" in line]
        last = name.rpartition("/")[2]
        return size > LARGE or any(fnmatch.fnmatch(last, p) or fnmatch.fnmatch(name, p) for p in patterns)

    def folders(self) -> Iterator[str]:
        """Every folder that holds something, outermost first."""
        above = {parent.as_posix() for name in self.tree for parent in Path(name).parents}
        yield from sorted(above - {"."})


@dataclass
class Pull:
    """A pull request; its number is its place among those of its repository, from 1."""

    title: str
    author: str
    head: str
    status: str = "open"


@dataclass
class Repo:
    """Commits by id, and the names that stand for some of them."""

    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)

    def push(self, folder: Path, branch: str = "main") -> str:
        """A new commit with what is in ``folder`` now, as the head of ``branch``."""
        attributes = Commit({".gitattributes": Blob(ATTRIBUTES.encode())}, "")
        tree = {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name, content = file.relative_to(folder).as_posix(), file.read_bytes()
            tree[name] = Blob(content, attributes.stores_large(name, len(content)))
        return self.commit(tree, f"commit {len(self.commits) + 1}", branch)

    def begin(self) -> None:
        """The commit that every repository begins with."""
        self.commit({".gitattributes": Blob(ATTRIBUTES.encode())}, "initial commit")

    def commit(self, tree: Tree, title: str, branch: str = "main") -> str:
        made = Commit(tree, title, self.branches.get(branch, ""))
        self.commits[made.oid] = made
        self.branches[branch] = made.oid
        return made.oid

    def request(self, tree: Tree, title: str, author: str, parent: str) -> int:
        """Open a pull request; its number."""
        made = Commit(tree, title, parent)
        self.commits[made.oid] = made
        self.pulls.append(Pull(title, author, made.oid))
        return len(self.pulls)

    def merge(self, number: int) -> None:
        pull = self.pulls[number - 1]
        pull.status = "merged"
        self.commit(self.commits[pull.head].tree, f"{pull.title} (#{number})")

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag, ``refs/pr/N`` or an id stands for."""
        requests = {f"refs/pr/{number}": pull.head for number, pull in enumerate(self.pulls, 1)}
        names = {**requests, **self.tags, **self.branches}
        oid = names.get(revision.removeprefix("refs/heads/"), revision)
        if oid not in self.commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[oid]

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """What a revision holds, but for what every repository begins with."""
        tree = self.at(revision).tree
        return {name: blob.content for name, blob in tree.items() if name != ".gitattributes"}
