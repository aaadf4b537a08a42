"""Servers of the tests' own, in a thread: sinks, collectors, receivers, origins over HTTP, and others."""

from __future__ import annotations

import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.patience import PATIENCE

__all__ = ["InThread", "Listening", "Quiet"]


class InThread(socketserver.BaseServer):
    """A server that answers from the beginning of a `with` block to its end; to be mixed in before its kind."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(PATIENCE)


class Listening(InThread, ThreadingHTTPServer):
    """Listens on a free port of this machine, unless another is named. Its `url` has no slash at its end."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), handler)
        self.url = f"http://{address}:{self.server_port}"


class Quiet(BaseHTTPRequestHandler):
    """Answers, and says nothing of it on the standard error."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
