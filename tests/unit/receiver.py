"""An HTTP server that takes what is posted to it: webhooks, chats, a provider of SMS."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.servers.listening import Listening, Quiet

__all__ = ["Receiver"]


class Receiver(Listening):
    """What it `got` as (headers, body), and where; `status` is what it answers, after `seconds`.

    `refused` counts what it answered with an error.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.status, self.seconds, self.refused = 204, 0.0, 0
        self.headers: dict[str, str] = {}
        self.answer = b""
        self.url += "/hook"

    @property
    def jsons(self) -> list[Any]:
        """The bodies, as JSON."""
        return [json.loads(body) for _, body in self.got]


class _Handler(Quiet):
    server: Receiver

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.paths.append(self.path)
        server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(server.seconds)
        status = server.status
        server.refused += status >= 400
        self.send_response(status)
        for name, value in {**server.headers, "Content-Length": str(len(server.answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.answer)
