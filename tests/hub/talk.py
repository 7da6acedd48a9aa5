"""A request and its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.hub.people import Person
from tests.hub.store import Refusal


@dataclass(frozen=True)
class Request:
    """What was asked, by whom; ``path`` is as it came, so that a quoted slash is no slash."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    who: Person | None

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, list[str]]:
        """Of a body that is a form, or JSON of lists."""
        if "json" in self.headers.get("Content-Type", ""):
            return {name: value if isinstance(value, list) else [value] for name, value in self.json().items()}
        return parse_qs(self.body.decode())

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("1", "true")


@dataclass(frozen=True)
class Reply:
    """What is answered; the body of an answer to HEAD is not sent."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


def says(value: Any, **headers: str) -> Reply:
    """JSON."""
    return Reply(json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def content(request: Request, whole: bytes, headers: Mapping[str, str]) -> Reply:
    """A file, or the part of it that is asked for.

    Raises:
        Refusal: 416, if the part begins behind the end.
    """
    headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
    wanted = request.headers.get("Range")
    if wanted is None:
        return Reply(whole, headers)
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
    if not found:
        raise Refusal(501, message=f"Range: {wanted}")
    first, last = int(found[1]), min(int(found[2] or len(whole)), len(whole) - 1)
    if first >= len(whole):
        raise Refusal(416, message=f"bytes */{len(whole)}")
    return Reply(whole[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(whole)}"}, 206)
