"""An HTTP server that takes what is posted to it: webhooks, chats, a provider of SMS."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Any

from tests.patience import PATIENCE
from tests.servers.listening import Listening, Quiet

__all__ = ["Receiver"]


class Receiver(Listening):
    """What it `got` as (headers, body), and where; `status` is what it answers, once `hold` is set.

    `refused` counts what it answered with an error.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.status, self.refused = 204, 0
        self.hold = threading.Event()
        self.hold.set()
        self.headers: dict[str, str] = {}
        self.answer = b""
        self.url += "/hook"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hold.set()
        super().__exit__(kind, error, traceback)

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
        server.hold.wait(PATIENCE)
        status = server.status
        server.refused += status >= 400
        self.send_response(status)
        for name, value in {**server.headers, "Content-Length": str(len(server.answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.answer)
