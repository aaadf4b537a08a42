"""What is outside audiolift: people who get mail, servers that have videos, systems that publish to RabbitMQ."""

from __future__ import annotations

import email
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pika
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers.mailing import SmtpServer

__all__ = ["Mailbox", "ToFront", "publish", "tapped", "video_server"]


class Mailbox(SmtpServer):
    """An SMTP server that takes every mail."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self._lock = threading.Lock()
        self._mails: list[EmailMessage] = []

    @property
    def url(self) -> str:
        """For SMTP_URL."""
        return f"smtp://{self.address}:{self.port}"

    def of(self, address: str) -> list[EmailMessage]:
        """The mails to somebody, oldest first."""
        with self._lock:
            return [mail for mail in self._mails if mail["To"] == address]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """aiosmtpd calls this for each mail."""
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default)
        with self._lock:
            self._mails.append(mail)
        return "250 OK"


class ToFront(httpx.HTTPTransport):
    """Brings every request to one address, whatever host it is for: the tests have no DNS. It may come from another."""

    def __init__(self, address: str, sender: str | None = None) -> None:
        super().__init__(local_address=sender)
        self._address = address

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The Host header was made from the URL before."""
        request.url = request.url.copy_with(host=self._address, port=None)
        return super().handle_request(request)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def video_server(address: str, directory: Path) -> Iterator[str]:
    """The URL at which the files of a directory are."""
    with ThreadingHTTPServer((address, 0), partial(_Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://{address}:{server.server_port}"
        server.shutdown()
        thread.join()


def publish(url: str, exchange: str, *messages: tuple[bytes, dict[str, Any]]) -> None:
    """Publish messages (body, properties) to RabbitMQ, each confirmed."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        for body, properties in messages:
            channel.basic_publish(exchange, "", body, pika.BasicProperties(delivery_mode=2, **properties))
    finally:
        connection.close()


@contextmanager
def tapped(url: str, exchange: str, event_type: str) -> Iterator[Callable[[], Iterator[tuple[dict[str, Any], bytes]]]]:
    """Gives what returns the events of a type that an exchange had since: the headers of each, and its data."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, exchange, "", {"x-match": "all", "type": event_type})

        def told() -> Iterator[tuple[dict[str, Any], bytes]]:
            for _, properties, body in iter(lambda: channel.basic_get(queue, auto_ack=True), (None, None, None)):
                assert properties
                yield properties.headers or {}, body or b""

        yield told
    finally:
        connection.close()
