"""What is answered below ``/api/models``, ``/api/datasets`` and ``/api/spaces``, of one repository."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.hub.people import granted, writes
from tests.hub.store import DATE, Blob, Commit, Refusal, Repo, Tree
from tests.hub.talk import Reply, Request, says

if TYPE_CHECKING:
    from tests.hub.server import Hub


class About:
    """Answers about one repository to one request."""

    def __init__(self, hub: Hub, request: Request, kind: str, name: str, repo: Repo) -> None:
        self.hub, self.request, self.kind, self.name, self.repo = hub, request, kind, name, repo

    def answer(self, what: str, revision: str, rest: str) -> Reply:
        """To ``/api/KIND/NAME/WHAT/REVISION/REST``, its parts unquoted."""
        known: dict[tuple[str, str], Callable[[str, str], Reply]] = {
            ("GET", ""): lambda *_: self._described("main"),
            ("GET", "revision"): lambda revision, _: self._described(revision),
            ("GET", "tree"): self._tree,
            ("GET", "refs"): self._refs,
            ("GET", "commits"): self._history,
            ("GET", "auth-check"): self._rights,
            ("GET", "discussions"): self._discussions,
            ("POST", "paths-info"): self._some,
            ("POST", "preupload"): self._modes,
            ("POST", "commit"): self._commit,
            ("POST", "tag"): self._tag,
        }
        if (self.request.method, what) not in known:
            raise self.hub.puzzled(self.request)
        return known[self.request.method, what](revision, rest)

    @property
    def page(self) -> str:
        return self.hub.page(self.kind, self.name)

    def _described(self, revision: str) -> Reply:
        commit = self.repo.at(revision)
        siblings: list[dict[str, Any]] = [{"rfilename": name} for name in sorted(commit.tree)]
        if self.request.flag("blobs"):
            entries = {name: blob.entry(name) for name, blob in commit.tree.items()}
            siblings = [
                {"rfilename": n, "size": e["size"], "blobId": e["oid"]} | ({"lfs": _lfs(e)} if "lfs" in e else {})
                for n, e in sorted(entries.items())
            ]
        return says({
            "_id": "0", "id": self.name, "author": self.name.partition("/")[0], "sha": commit.oid, "siblings": siblings,
            "private": self.repo.private, "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
            "lastModified": DATE, "createdAt": DATE,
        } | ({"modelId": self.name} if self.kind == "models" else {}))  # fmt: skip

    def _tree(self, revision: str, below: str) -> Reply:
        commit = self.repo.at(revision)
        within = f"{below}/" if below else ""
        if below and below not in commit.folders():
            raise Refusal(404, "EntryNotFound", f"{below} does not exist on {revision}")
        deep = self.request.flag("recursive")
        found = {folder: _folder(folder) for folder in commit.folders()}
        found |= {name: blob.entry(name) for name, blob in commit.tree.items()}
        listed = [
            entry
            for name, entry in sorted(found.items())
            if name.startswith(within) and (deep or "/" not in name.removeprefix(within))
        ]
        begin = int(self.request.query.get("cursor", ["0"])[0])
        end = begin + self.hub.listed
        if end >= len(listed):
            return says(listed[begin:])
        query = urlencode({**{n: v[0] for n, v in self.request.query.items()}, "cursor": end})
        return says(listed[begin:end], Link=f'<{self.hub.url}{self.request.path}?{query}>; rel="next"')

    def _some(self, revision: str, _: str) -> Reply:
        commit = self.repo.at(revision)
        asked = self.request.form().get("paths", [])
        folders = set(commit.folders())
        found = [commit.tree[name].entry(name) for name in asked if name in commit.tree]
        return says([*found, *(_folder(name) for name in asked if name in folders)])

    def _refs(self, *_: str) -> Reply:
        def listed(names: Mapping[str, str], where: str) -> list[dict[str, str]]:
            return [{"name": n, "ref": f"{where}{n}", "targetCommit": oid} for n, oid in names.items()]

        found = {"branches": listed(self.repo.branches, "refs/heads/"), "tags": listed(self.repo.tags, "refs/tags/")}
        if self.request.flag("include_prs"):
            heads = {f"{number}": pull.head for number, pull in enumerate(self.repo.pulls, 1)}
            found["pullRequests"] = listed(heads, "refs/pr/")
        return says({**found, "converts": []})

    def _history(self, revision: str, _: str) -> Reply:
        commit: Commit | None = self.repo.at(revision)
        found = []
        while commit:
            found.append({"id": commit.oid, "title": commit.title, "message": "", "authors": [], "date": DATE})
            commit = self.repo.commits.get(commit.parent)
        return says(found)

    def _rights(self, what: str, _: str) -> Reply:
        if what not in ("", "write"):
            raise Refusal(501)
        if what == "write":
            self._let_write()
        return says({})

    def _let_write(self) -> None:
        if not writes(self.request.who, self.name):
            raise Refusal(403, message="You don't have the required permissions to write to this repository")

    def _discussions(self, number: str, _: str) -> Reply:
        if number:
            raise Refusal(501)
        wanted = self.request.query.get("status", [""])[0]
        every = [(n, pull) for n, pull in enumerate(self.repo.pulls, 1) if not wanted or pull.status == wanted][::-1]
        begin = int(self.request.query.get("p", ["0"])[0]) * self.hub.listed
        shown = [
            {"num": n, "title": pull.title, "author": {"name": pull.author}, "createdAt": DATE, "status": pull.status,
             "isPullRequest": True, "repo": {"name": self.name, "type": self.kind.removesuffix("s")}}
            for n, pull in every[begin : begin + self.hub.listed]
        ]  # fmt: skip
        return says({"discussions": shown, "count": len(every), "start": begin, "numClosedDiscussions": 0})

    def _modes(self, revision: str, _: str) -> Reply:
        """How each file is to be sent."""
        self._let_propose()
        commit = self.repo.at(revision)
        return says({"files": [self._mode(commit, file) for file in self.request.json()["files"]]})

    def _mode(self, commit: Commit, file: Mapping[str, Any]) -> dict[str, Any]:
        name, held = file["path"], commit.tree.get(file["path"])
        mode = "lfs" if commit.stores_large(name, file["size"]) else "regular"
        return {"path": name, "uploadMode": mode, "shouldIgnore": False} | ({"oid": held.etag} if held else {})

    def _let_propose(self) -> None:
        """A pull request takes a token that may write somewhere; a commit, one that may write here."""
        if not self.request.flag("create_pr"):
            self._let_write()
        elif self.request.who is None or not granted(self.request.who, self.name) & {"repo.write", "discussion.write"}:
            raise Refusal(403, message="You don't have the required permissions to open a pull request")

    def _commit(self, revision: str, _: str) -> Reply:
        """Lines of JSON: a header, then an operation each."""
        self._let_propose()
        lines = [json.loads(line) for line in self.request.body.splitlines()]
        header = lines[0]["value"]
        if lines[0]["key"] != "header" or not header["summary"]:
            raise Refusal(400, message="the first line must be a header with a summary")
        parent = self.repo.at(revision)
        asked = header.get("parentCommit")
        if asked and asked != parent.oid:
            raise Refusal(412, message="A commit has happened since. Please refresh and try again.")
        tree = dict(parent.tree)
        for line in lines[1:]:
            self._apply(tree, parent, line["key"], line["value"])
        answer: dict[str, Any] = {"success": True, "hookOutput": ""}
        if self.request.flag("create_pr"):
            assert self.request.who
            number = self.repo.request(tree, header["summary"], self.request.who["name"], parent.oid)
            oid = self.repo.pulls[number - 1].head
            answer["pullRequestUrl"] = f"{self.page}/discussions/{number}"
        else:
            oid = self.repo.commit(tree, header["summary"], revision)
        return says({**answer, "commitOid": oid, "commitUrl": f"{self.page}/commit/{oid}"})

    def _apply(self, tree: Tree, parent: Commit, key: str, value: Mapping[str, Any]) -> None:
        name = value["path"]
        if key == "file":
            held = b64decode(value["content"])
            if value["encoding"] != "base64" or (held and parent.stores_large(name, len(held))):
                raise Refusal(400, message=f"Your push was rejected: {name} must be stored as a large file")
            tree[name] = Blob(held)
        elif key == "lfsFile":
            if value["algo"] != "sha256" or value["oid"] not in self.hub.storage.objects:
                raise Refusal(400, message=f"{name}: LFS pointer pointed to a file that does not exist")
            tree[name] = Blob(self.hub.storage.objects[value["oid"]], large=True)
        elif key == "deletedFile":
            if name not in tree:
                raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
            del tree[name]
        else:
            raise Refusal(501, message=f"{key} is not known here")

    def _tag(self, revision: str, _: str) -> Reply:
        self._let_write()
        tag = self.request.json()["tag"]
        if tag in self.repo.tags:
            raise Refusal(409, message="Tag reference exists already")
        self.repo.tags[tag] = self.repo.at(revision).oid
        return says({})


def _folder(name: str) -> dict[str, Any]:
    return {"type": "directory", "oid": Blob(name.encode()).oid, "size": 0, "path": name}


def _lfs(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"sha256": entry["lfs"]["oid"], "size": entry["size"], "pointerSize": entry["lfs"]["pointerSize"]}
