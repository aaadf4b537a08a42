"""An HTTP server that takes what is posted to it: webhooks, chats, a provider of SMS."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from tests.patience import PATIENCE

__all__ = ["Receiver", "served"]

Kind = TypeVar("Kind", bound=ThreadingHTTPServer)


@contextmanager
def served(server: Kind) -> Iterator[Kind]:
    """The server, which serves in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with server:
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(PATIENCE)


class Receiver(ThreadingHTTPServer):
    """On a free port: what it `got` as (headers, body), and where; `status` is what it answers, after `seconds`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.status, self.seconds = 204, 0.0
        self.headers: dict[str, str] = {}
        self.answer = b""
        self.url = f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def jsons(self) -> list[Any]:
        """The bodies, as JSON."""
        return [json.loads(body) for _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.paths.append(self.path)
        server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(server.seconds)
        self.send_response(server.status)
        for name, value in {**server.headers, "Content-Length": str(len(server.answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.answer)

    def log_message(self, *_: Any) -> None:
        """Quiet."""
