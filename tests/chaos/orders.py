"""What people and systems ask for in a storm, each as a careful client does: again and again, until it is accepted."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pika
from pika.exceptions import AMQPError

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed, VideoSubmitted
from tests import media
from tests.chaos.mailbox import MailServer
from tests.patience import PATIENCE, eventually
from tests.system import PASSWORD
from tests.unit.receiver import Receiver

__all__ = ["KINDS", "Customer", "Order", "ask"]

PAUSE_SECONDS, ANSWER_SECONDS = 0.3, 20
SOUND = {"Content-Type": "audio/ogg"}
TUS = {"Tus-Resumable": "1.0.0"}
# Not all of an Ogg file: it can be read, and is no sound.
RUBBISH = b"OggS" + bytes(400)


class Customer:
    """Somebody with a sound of their own, by which an MP3 is known: its tone in Hz, its length in seconds."""

    def __init__(self, number: int, url: str, directory: Path) -> None:
        self.number, self.url = number, url
        self.email = f"storm{number}@example.com"
        self.tone, self.seconds = 330 + 110 * number, 2 + number
        self.source, self.phone = f"/storm/{number}", f"+4915112345{number:03}"
        self.sound = directory / f"sound{number}.ogg"
        words = ["-f", "lavfi", "-i", f"sine=frequency={self.tone}:duration={self.seconds}", "-c:a", "libvorbis"]
        subprocess.run([media.ffmpeg(), "-v", "error", "-y", *words, str(self.sound)], check=True)
        self.origin = ""
        # The ids of jobs that they have deleted.
        self.deleted: list[str] = []
        self._headers: dict[str, str] = {}

    def register(self, post: MailServer, hook: str) -> None:
        """Have an account, by the link in the mail, a token, and a webhook."""
        account = {"email": self.email, "password": PASSWORD}
        with httpx.Client(base_url=self.url, timeout=PATIENCE) as http:
            http.post("/v1/users", json=account).raise_for_status()
            link = eventually(lambda: next((mail for mail in post.mails if mail["to"] == self.email), None), "a mail")
            token = re.findall(r"/verify/(\S+)", link["text"])[0]
            http.post("/v1/users/verify", json={"token": token, "password": PASSWORD}).raise_for_status()
            form = {"grant_type": "password", "username": self.email, "password": PASSWORD}
            token = http.post("/v1/token", data=form).raise_for_status().json()["access_token"]
            self._headers = {"Authorization": f"Bearer {token}"}
            http.post("/v1/webhooks", json={"url": hook}, headers=self._headers).raise_for_status()

    def choose(self, telephones: Receiver, chat: str) -> None:
        """Be told of all by SMS, too, at a number that is confirmed by its code, and in a chat."""
        with self.http() as http:
            http.put("/v1/me/phone", json={"number": self.phone}).raise_for_status()
            sent = eventually(lambda: self.messages(telephones), "a code")
            code = re.findall(r"[0-9]{6}", sent[-1])[0]
            http.post("/v1/me/phone/confirm", json={"code": code}).raise_for_status()
            told = {"sms": True, "services": {chat: True}}
            events = {event.TYPE: told for event in (AudioCreated, ConversionFailed, BatchEnded)}
            http.put("/v1/me/notifications", json={"events": events}).raise_for_status()

    def messages(self, telephones: Receiver) -> list[str]:
        """The SMS that came to their number."""
        came = zip(list(telephones.paths), list(telephones.got), strict=False)
        return [json.loads(body)["message"] for path, (_, body) in came if self.phone in unquote(path)]

    def http(self) -> httpx.Client:
        """A client of theirs."""
        return httpx.Client(base_url=self.url, headers=self._headers, timeout=ANSWER_SECONDS)

    def jobs(self) -> list[dict[str, Any]]:
        """All their jobs."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        with self.http() as http:
            while True:
                page = http.get("/v1/jobs", params={"limit": 100, **cursor}).raise_for_status().json()
                found += page["items"]
                if not page["next_cursor"]:
                    return found
                cursor = {"cursor": page["next_cursor"]}


@dataclass(frozen=True)
class Order:
    """One file, or the files of one batch, by which way."""

    kind: str
    names: Sequence[str]
    customer: Customer

    @property
    def fails(self) -> bool:
        """Whether each of its jobs has to fail."""
        return self.kind == "broken"

    @property
    def goes(self) -> bool:
        """Whether its job is deleted, wherever it is by then."""
        return self.kind == "deleted"


def ask(order: Order, broker: str) -> None:
    """Have it accepted. Raises: TimeoutError."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with suppress(httpx.TransportError, AMQPError, OSError):
            if KINDS[order.kind](order, broker):
                return
        time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"{order.kind} {order.names} was not accepted")


def _plain(order: Order, _: str) -> bool:
    return _accepted(_post(order, order.customer.sound.read_bytes()))


def _broken(order: Order, _: str) -> bool:
    return _accepted(_post(order, RUBBISH))


def _post(order: Order, content: bytes) -> httpx.Response:
    (name,) = order.names
    query, headers = {"filename": name}, {**SOUND, "Idempotency-Key": name}
    with order.customer.http() as http:
        return http.post("/v1/jobs", params=query, content=content, headers=headers)


def _deleted(order: Order, _: str) -> bool:
    taken = _post(order, order.customer.sound.read_bytes())
    if not _accepted(taken):
        return False
    job_id, ends = taken.json()["id"], time.monotonic() + PATIENCE
    with order.customer.http() as http:
        while time.monotonic() < ends:
            with suppress(httpx.TransportError):
                # One whose answer was lost finds nothing when it comes again.
                if http.delete(f"/v1/jobs/{job_id}").status_code in (204, 404):
                    order.customer.deleted.append(job_id)
                    return True
            time.sleep(PAUSE_SECONDS)
    raise TimeoutError(f"{order.names[0]} was not deleted")


def _url(order: Order, _: str) -> bool:
    (name,) = order.names
    with order.customer.http() as http:
        body = {"source_url": order.customer.origin, "filename": name}
        return _accepted(http.post("/v1/jobs", json=body, headers={"Idempotency-Key": name}))


def _batch(order: Order, _: str) -> bool:
    items = [{"source_url": order.customer.origin, "filename": name} for name in order.names]
    with order.customer.http() as http:
        key = {"Idempotency-Key": order.names[0]}
        return _accepted(http.post("/v1/batches", json={"items": items}, headers=key))


def _event(order: Order, broker: str) -> bool:
    (name,) = order.names
    about = {"specversion": "1.0", "id": name, "source": order.customer.source, "type": VideoSubmitted.TYPE}
    kept = pika.BasicProperties(
        headers={**about, "content-type": "application/json"},
        message_id=name,
        content_type="application/json",
        delivery_mode=2,
    )
    connection = pika.BlockingConnection(pika.URLParameters(f"{broker}?blocked_connection_timeout=10"))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        body = json.dumps({"url": order.customer.origin, "filename": name}).encode()
        channel.basic_publish("audiolift.video-submitted", "", body, kept, mandatory=True)
        return True
    finally:
        connection.close()


def _tus(order: Order, _: str) -> bool:
    """One whose address got lost on the way is begun anew: the lost one has no bytes, and expires after a day."""
    content, half = order.customer.sound.read_bytes(), order.customer.sound.stat().st_size // 2
    with order.customer.http() as http:
        named = {"Upload-Metadata": f"filename {_base64(order.names[0])}"}
        begun = http.post("/v1/uploads", headers={**TUS, **named, "Upload-Length": str(len(content))})
        if not _accepted(begun):
            return False
        _go_on(http, begun.headers["Location"], content, half)
    # Not False: nobody but this client has brought bytes, and knows where.
    return True


def _go_on(http: httpx.Client, path: str, content: bytes, most: int) -> None:
    ends, offset = time.monotonic() + PATIENCE, 0
    while offset < len(content) and time.monotonic() < ends:
        with suppress(httpx.TransportError):
            said = http.head(path, headers=TUS)
            offset = int(said.headers.get("Upload-Offset", offset))
            if said.is_success and offset < len(content):
                headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                http.patch(path, content=content[offset : offset + most + 1], headers=headers)
        time.sleep(PAUSE_SECONDS / 3)
    if offset < len(content):
        raise TimeoutError(f"{path} did not get all its bytes")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _accepted(answer: httpx.Response) -> bool:
    assert answer.status_code in (201, 202, 409, 429, 500, 502, 503, 504, 507), answer.text
    return answer.status_code in (201, 202)


KINDS: dict[str, Callable[[Order, str], bool]] = {
    "plain": _plain,
    "tus": _tus,
    "url": _url,
    "batch": _batch,
    "event": _event,
    "broken": _broken,
    "deleted": _deleted,
}
