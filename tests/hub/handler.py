"""HTTP on the wire, and what goes wrong with it."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from tests.hub.store import Refusal
from tests.hub.talk import Reply, Request

if TYPE_CHECKING:
    from tests.hub.server import Fault, Hub


class Handler(BaseHTTPRequestHandler):
    """Answers for a :class:`Hub`, or for its storage."""

    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, far: bool, *arguments: Any) -> None:
        self.hub, self.far = hub, far
        super().__init__(*arguments)

    def log_message(self, *_: Any) -> None: ...

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        asked = f"{self.command} {unquote(path)}"
        fault = self.hub.fault(asked)
        if fault and fault.first:
            fault.first()
            fault = None
        length = int(self.headers.get("Content-Length") or 0)
        if fault and not fault.status and not fault.late and self.command in ("PUT", "POST"):
            self.rfile.read(min(fault.after, length))
            self._hang_up()
            return
        body = self.rfile.read(length)
        self.hub.asked.append(asked)
        authorization = self.headers.get("Authorization") or ""
        if self.far and authorization:
            self.hub.leaked.append(asked)
        reply = self._reply(fault, path, query, body, authorization)
        if fault and fault.late:
            self._hang_up()
        else:
            self._send(reply, fault.after if fault and not fault.status else None)

    def _reply(self, fault: Fault | None, path: str, query: str, body: bytes, authorization: str) -> Reply:
        try:
            if fault and fault.status:
                raise Refusal(fault.status, message="it is as it is")
            if self.hub.broken:
                raise Refusal(self.hub.broken)
            if self.hub.nonsense:
                return Reply(b"<html>Log in to this network</html>", {"Content-Type": "text/html"})
            if self.headers.get("Transfer-Encoding"):
                raise Refusal(501, message="a body without a length")
            who = None if self.far else self.hub.who(authorization.removeprefix("Bearer "))
            request = Request(self.command, path, parse_qs(query), self.headers, body, who)
            return self.hub.store(request) if self.far else self.hub.answer(request)
        except Refusal as refusal:
            return self._refused(refusal, authorization)

    def _refused(self, refusal: Refusal, authorization: str) -> Reply:
        message = f"{refusal.message} (sent: {authorization})" if self.hub.echo else refusal.message
        said = dict(refusal.body) if refusal.body else {"error": message}
        if self.hub.echo:
            said["errors"] = [*said.get("errors", []), {"message": message}]
        headers = {"Content-Type": "application/json", "X-Error-Code": refusal.code, "X-Error-Message": message}
        if refusal.status == 429 or refusal.status >= 500:
            headers["Retry-After"] = "0"
        headers = {name: text for name, text in headers.items() if text}
        return Reply(json.dumps(said).encode(), headers, refusal.status)

    def _send(self, reply: Reply, only: int | None) -> None:
        """All of an answer, or the beginning of it before the connection is dropped."""
        self.send_response(reply.status)
        for name, text in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[:only])
        if only is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815
