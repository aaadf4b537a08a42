"""A sink: what K_SINK names, as a real HTTP server on a free port."""

from __future__ import annotations

import threading
from types import TracebackType

from events.errors import EventError
from events.wire import Envelope, read
from tests.patience import PATIENCE
from tests.servers.listening import Listening, Quiet

__all__ = ["Sink"]


class Sink(Listening):
    """Answers every POST with `status` once `hold` is set; `received` are the events that it answered with a 2xx.

    `statuses` has the answer to events of a certain id, subject or type; `requests` is all that came, as it came.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.status = 202
        self.statuses: dict[str, int] = {}
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.received: list[Envelope] = []
        self.refused: list[Envelope] = []
        self.hold = threading.Event()
        self.hold.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hold.set()
        super().__exit__(kind, error, traceback)

    def types(self) -> list[str]:
        """The types of the events that were taken, in order, without what all types share."""
        return [event.type.removeprefix("dev.audiolift.").removesuffix(".v1") for event in self.received]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """What a request is answered with; an event is kept."""
        try:
            event = read(headers, body)
        except EventError:
            return self.status
        status = next((self.statuses[key] for key in (event.id, event.subject, event.type) if key in self.statuses), 0)
        status = status or self.status
        (self.received if status < 300 else self.refused).append(event)
        return status


class _Handler(Quiet):
    server: Sink

    def do_POST(self) -> None:
        sink, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        sink.requests.append((dict(self.headers), body))
        sink.hold.wait(PATIENCE)
        self.send_response(sink.take(dict(self.headers), body))
        for name, value in {**sink.headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
