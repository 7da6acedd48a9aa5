"""A Hub of our own: speaks what the real client asks for, and answers 501 to anything else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.parse import unquote

KINDS = {"models": "", "datasets": "datasets/"}
API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+?)(?:/(revision|tree)/([^/]+))?(?:/(.*))?")
PATHS = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/paths-info/([^/]+)")
RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repo:
    """Commits, each a folder; branches, each a commit."""

    commits: dict[str, Path] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: bool = False

    def push(self, folder: Path, branch: str = "main") -> str:
        """A new commit with what is in ``folder``, as the head of ``branch``."""
        commit = sha1(f"{folder}{len(self.commits)}".encode()).hexdigest()
        self.commits[commit] = folder
        self.branches[branch] = commit
        return commit


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        self.status, self.code, self.message = status, code, message


class Hub:
    """Runs while it is the context; what it was asked is in ``asked``, what was committed in ``commits``."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}  # by id, that of a dataset with "datasets/" before it
        self.people: dict[str, dict[str, Any]] = {}  # what whoami says, by token
        self.asked: list[str] = []  # "GET /path"
        self.commits: list[dict[str, Any]] = []
        self.broken = 0  # a status to answer everything with
        self.full = False  # take no uploads
        self.card_error = ""  # what is wrong with the head of a README.md

    def __enter__(self) -> Self:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def environment(self, cache: Path) -> dict[str, str]:
        """For a child process that shall ask this Hub."""
        return {
            "HF_ENDPOINT": self.url, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        }  # fmt: skip

    def times(self, request: str) -> int:
        """How often exactly this was asked."""
        return self.asked.count(request)

    def repo(self, name: str, revision: str) -> tuple[Repo, str]:
        """The repository and the commit a revision is at."""
        repo = self.repos.get(name)
        if repo is None:
            raise Refusal(404, "RepoNotFound")
        if repo.gated:
            raise Refusal(403, "GatedRepo")
        commit = repo.branches.get(revision, revision)
        if commit not in repo.commits:
            raise Refusal(404, "RevisionNotFound")
        return repo, commit

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[bytes, dict[str, str]]:
        """Content and headers; raises :class:`Refusal`."""
        if self.broken:
            raise Refusal(self.broken)
        if method == "GET" and path == "/api/whoami-v2":
            return _json(self._who(token))
        if method == "POST" and (found := PATHS.fullmatch(path)):
            return _json(self._some(*found.groups(), body))
        if method == "POST":
            return _json(self._written(path, token, body))
        if found := API.fullmatch(path):
            return _json(self._described(*found.groups()))
        if (found := RESOLVE.fullmatch(path)) and method in ("GET", "HEAD"):
            return self._file(*found.groups())
        raise Refusal(501)

    def _who(self, token: str) -> dict[str, Any]:
        if token not in self.people:
            raise Refusal(401, message="Invalid credentials in Authorization header")
        return self.people[token]

    def _described(self, kind: str, name: str, what: str, revision: str, rest: str) -> Any:
        repo, commit = self.repo(KINDS[kind] + name, revision or "main")
        if what == "tree":
            return _listing(repo.commits[commit], rest or "")
        if rest:
            raise Refusal(501)
        siblings = [{"rfilename": file["path"]} for file in _listing(repo.commits[commit])]
        return {"id": name, "sha": commit, "private": False, "tags": [], "downloads": 0, "siblings": siblings}

    def _some(self, kind: str, name: str, revision: str, body: bytes) -> Any:
        repo, commit = self.repo(KINDS[kind] + name, revision)
        wanted = json.loads(body)["paths"]
        return [
            _entry(repo.commits[commit], file) for name in wanted if (file := repo.commits[commit] / name).is_file()
        ]

    def _file(self, kind: str, name: str, revision: str, file: str) -> tuple[bytes, dict[str, str]]:
        repo, commit = self.repo((kind or "") + name, revision)
        place = repo.commits[commit] / file
        if not place.is_file():
            raise Refusal(404, "EntryNotFound")
        content = place.read_bytes()
        return content, {"ETag": f'"{sha1(content).hexdigest()}"', "X-Repo-Commit": commit}

    def _written(self, path: str, token: str, body: bytes) -> Any:
        self._who(token)
        if self.full:
            raise Refusal(403, message="Private repository storage limit reached")
        if path == "/api/validate-yaml":
            if self.card_error:
                raise Refusal(400, message=self.card_error)
            return {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            return {"url": f"{self.url}/{asked['organization']}/{asked['name']}"}
        if path.endswith("/preupload/main"):
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            return {"files": [{"path": file["path"], **regular} for file in json.loads(body)["files"]]}
        if path.endswith("/commit/main"):
            lines = [json.loads(line) for line in body.splitlines()]
            self.commits.append({line["value"].get("path", "header"): line["value"] for line in lines})
            return {"commitUrl": f"{self.url}/me/model/commit/{'c' * 40}", "commitOid": "c" * 40, "success": True}
        raise Refusal(501)


def _listing(folder: Path, below: str = "") -> list[dict[str, Any]]:
    if not (folder / below).is_dir():
        raise Refusal(404, "EntryNotFound")
    files = sorted(p for p in (folder / below).rglob("*") if p.is_file())
    return [_entry(folder, file) for file in files]


def _entry(folder: Path, file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    name = file.relative_to(folder).as_posix()
    return {"type": "file", "path": name, "size": len(content), "oid": sha1(content).hexdigest()}


def _json(value: Any) -> tuple[bytes, dict[str, str]]:
    return json.dumps(value).encode(), {"Content-Type": "application/json"}


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def answer(self) -> None:
            path = unquote(self.path.partition("?")[0])
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append(f"{self.command} {path}")
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            try:
                content, headers = hub.answer(self.command, path, token, body)
                status = 200
            except Refusal as refusal:
                status, (content, headers) = refusal.status, _json({"errors": [{"message": refusal.message}]})
                named = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
                headers |= {name: text for name, text in named.items() if text}
            self.send_response(status)
            for name, text in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    return Handler
