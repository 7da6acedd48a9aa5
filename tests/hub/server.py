"""A Hub on this machine: speaks what its real clients ask for, as the Hub does, and answers 501 to anything else.

It listens at two addresses, as the Hub does: at ``url``, and at ``far``, where large files are stored, which no token
may ever be sent to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import unquote

from tests.hub import cards
from tests.hub.api import About
from tests.hub.handler import Handler
from tests.hub.lfs import Storage
from tests.hub.people import Person, reads, writes
from tests.hub.store import KINDS, Refusal, Repo
from tests.hub.talk import Reply, Request, content, says

API = re.compile(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(?:/([^/]+))?(?:/([^/]+))?(?:/(.+))?")
FILE = re.compile(r"/(datasets/|spaces/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
LARGE = re.compile(r"/(datasets/|spaces/)?([^/]+/[^/]+)\.git/info/lfs/objects/(batch|verify)")
UPLOAD = re.compile(r"/upload/([0-9a-f]{64})/(\d+)")
STORED = re.compile(r"/stored/([0-9a-f]{64})")
NAME = re.compile(r"(?!.*(--|\.\.))[\w][\w.-]{0,95}(?<![.-])(?<!\.git)", re.ASCII)


@dataclass
class Fault:
    """What goes wrong with requests whose ``GET /path`` matches; without a status, the connection is dropped."""

    request: re.Pattern[str]
    status: int = 0
    times: int = 1
    after: int = 0  # bytes of the body, of whoever sends one
    late: bool = False  # all is done, but no answer comes
    first: Callable[[], object] | None = None  # nothing goes wrong, but this happens before


class Hub:
    """Runs while it is the context."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}  # by id, that of a dataset with "datasets/" before it
        self.people: dict[str, Person] = {}  # by token
        self.storage = Storage()
        self.asked: list[str] = []  # "GET /path"
        self.leaked: list[str] = []  # what came to the storage with a token
        self.unknown: list[str] = []  # what was asked that nobody knows here
        self.faults: list[Fault] = []
        self.listed = 1000  # entries of a page
        self.broken = 0  # a status to answer everything with
        self.full = False  # take no uploads
        self.nonsense = False  # answer everything with a page, as what is no Hub does
        self.echo = False  # say in every refusal what token came
        self.card_error = ""  # what is wrong with the head of a README.md
        self.lock = Lock()

    def __enter__(self) -> Self:
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self, far)) for far in (False, True)]
        self.threads = [Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in self.servers]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].server_address[1]}"

    @property
    def far(self) -> str:
        return f"http://127.0.0.1:{self.servers[1].server_address[1]}"

    def environment(self, cache: Path) -> dict[str, str]:
        """For a child process that shall ask this Hub."""
        return {
            "HF_ENDPOINT": self.url, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        }  # fmt: skip

    def times(self, request: str) -> int:
        """How often exactly this was asked."""
        return self.asked.count(request)

    def asked_for(self, pattern: str) -> list[str]:
        """What was asked that matches."""
        return [request for request in self.asked if re.search(pattern, request)]

    def refuse(self, pattern: str, status: int, times: int = 1) -> None:
        """Answer the next requests that match with ``status``."""
        self.faults.append(Fault(re.compile(pattern), status, times))

    def drop(self, pattern: str, after: int = 0, times: int = 1, *, late: bool = False) -> None:
        """Close the connection of the next requests that match, after some bytes of what is sent or fetched; or after
        all was done, without an answer."""
        self.faults.append(Fault(re.compile(pattern), 0, times, after, late))

    def meanwhile(self, pattern: str, happens: Callable[[], object]) -> None:
        """Let something happen before the next request that matches is answered."""
        self.faults.append(Fault(re.compile(pattern), first=happens))

    def fault(self, request: str) -> Fault | None:
        """What shall go wrong with this one."""
        with self.lock:
            found = next((f for f in self.faults if f.times and f.request.search(request)), None)
            if found:
                found.times -= 1
            return found

    def page(self, kind: str, name: str) -> str:
        """A repository's address."""
        return f"{self.url}/{KINDS[kind]}{name}"

    def who(self, token: str) -> Person | None:
        """Whose token it is; nobody's if none was sent."""
        if token and token not in self.people:
            raise Refusal(401, message="Invalid credentials in Authorization header")
        return self.people.get(token)

    def answer(self, request: Request) -> Reply:
        """Of the Hub itself; raises :class:`Refusal`."""
        match request.method, request.path:
            case "GET", "/api/whoami-v2":
                return says(self._required(request))
            case "POST", "/api/validate-yaml":
                return self._judged(request)
            case "POST", "/api/repos/create":
                return self._created(request)
            case "POST", "/api/complete_multipart":
                return says(self.storage.complete(request.body))
        if found := LARGE.fullmatch(request.path):
            return self._large(request, *found.groups(""))
        if found := FILE.fullmatch(request.path):
            return self._file(request, *map(unquote, found.groups("")))
        if found := API.fullmatch(request.path):
            kind, name, *parts = map(unquote, found.groups(""))
            repo = self.repo(KINDS[kind] + name, request.who)
            return About(self, request, kind, name, repo).answer(*parts)
        raise self.puzzled(request)

    def puzzled(self, request: Request) -> Refusal:
        """What is not known here is answered 501, and kept: a client may pass over that."""
        self.unknown.append(f"{request.method} {request.path}")
        return Refusal(501, message=f"{request.method} {request.path} is not known here")

    def store(self, request: Request) -> Reply:
        """Of the storage of large files."""
        if request.method == "PUT" and (found := UPLOAD.fullmatch(request.path)):
            return Reply(headers=self.storage.put(found[1], int(found[2]), request.body))
        if request.method in ("GET", "HEAD") and (found := STORED.fullmatch(request.path)):
            held = {blob.sha256: blob.content for repo in self.repos.values() for c in repo.commits.values()
                    for blob in c.tree.values() if blob.large}  # fmt: skip
            return content(request, held[found[1]], {"ETag": '"storage\'s own"'})
        raise self.puzzled(request)

    def repo(self, name: str, who: Person | None) -> Repo:
        """The repository, for somebody who may see it; what one may not see is not there."""
        repo, bare = self.repos.get(name), name.removeprefix("datasets/").removeprefix("spaces/")
        if repo is None or (repo.private and not reads(who, bare)):
            raise Refusal(404 if who else 401, "RepoNotFound", "Repository not found")
        if repo.gated:
            raise Refusal(403 if who else 401, "GatedRepo", f"Access to {bare} is restricted")
        return repo

    def _required(self, request: Request) -> Person:
        if request.who is None:
            raise Refusal(401, message="Invalid username or password.")
        return request.who

    def _judged(self, request: Request) -> Reply:
        """A card's metadata."""
        found = [self.card_error] if self.card_error else cards.errors(request.json()["content"])
        if found:
            if request.headers.get("Accept") == "text/plain":
                return Reply("\n".join(found).encode(), {"Content-Type": "text/plain"}, 400)
            said = [{"message": line} for line in found]
            raise Refusal(400, body={"error": "Invalid metadata", "errors": said, "warnings": []})
        return says({"errors": [], "warnings": []})

    def _created(self, request: Request) -> Reply:
        who, asked = self._required(request), request.json()
        kind, owner = f"{asked.get('type', 'model')}s", asked["organization"] or who["name"]
        name = f"{owner}/{asked['name']}"
        if not writes(who, name):
            raise Refusal(
                403, message=f'You don\'t have the rights to create a {kind[:-1]} under the namespace "{owner}"'
            )
        if not NAME.fullmatch(asked["name"]):
            raise Refusal(400, message=f"Invalid repository name: {asked['name']}")
        address = {"url": self.page(kind, name)}
        if KINDS[kind] + name in self.repos:
            raise Refusal(409, body={"error": f"You already created this {kind[:-1]} repo", **address})
        self.repos[KINDS[kind] + name] = made = Repo(private=asked.get("visibility") == "private")
        made.begin()
        return says({**address, "name": name})

    def _large(self, request: Request, kind: str, name: str, what: str) -> Reply:
        self.repo(kind + name, request.who)
        if self.full:
            raise Refusal(403, message="Private repository storage limit reached")
        if what == "verify":
            return says(self.storage.verify(request.body))
        return says(self.storage.batch(request.body, f"{self.url}/{kind}{name}", self.url, self.far))

    def _file(self, request: Request, kind: str, name: str, revision: str, path: str) -> Reply:
        """A file of git; of a large one, where it is stored."""
        commit = self.repo(kind + name, request.who).at(revision)
        known: dict[str, Any] = {"X-Repo-Commit": commit.oid}
        blob = commit.tree.get(path)
        if blob is None:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        if not blob.large:
            return content(request, blob.content, {**known, "ETag": f'"{blob.etag}"'})
        linked = {"X-Linked-Etag": f'"{blob.etag}"', "X-Linked-Size": str(len(blob.content))}
        place = f"{self.far}/stored/{blob.sha256}?X-Amz-Signature=signed"
        return Reply(b"Found", {**known, **linked, "Location": place}, 302)
