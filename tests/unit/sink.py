"""A sink: what K_SINK names, as a real HTTP server on a free port."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from events.wire import Envelope, read

__all__ = ["Sink"]


class Sink:
    """Answers every POST with `status` once `hold` is set; `received` are the events that it answered with a 2xx."""

    def __init__(self) -> None:
        self.status = 202
        self.headers: dict[str, str] = {}
        self.received: list[Envelope] = []
        self.refused: list[Envelope] = []
        self.hold = threading.Event()
        self.hold.set()

    def __enter__(self) -> Sink:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def types(self) -> list[str]:
        """The types of the events that were taken, in order, without what all types share."""
        return [event.type.removeprefix("dev.audiolift.").removesuffix(".v1") for event in self.received]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = read(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
                sink.hold.wait(30)
                (sink.received if sink.status < 300 else sink.refused).append(event)
                self.send_response(sink.status)
                for name, value in {**sink.headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet."""

        return Handler
