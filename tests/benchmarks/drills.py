"""What one job is to each function alone: the requests and the events that it gets for it, one after the other."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from events.catalogue import AudioCreated, VideoSubmitted
from events.codec import encode
from events.wire import Envelope, write
from functions.shared import blobs, database
from functions.shared.jobs import names
from functions.shared.tables import jobs, now, outbox, users
from tests.benchmarks.intake import BYTES, token
from tests.chaos import dying
from tests.e2e.alone import serving, sign_up, told
from tests.media import ffmpeg
from tests.system import NO_LIMITS, PASSWORD
from tests.unit import rows
from tests.unit.origin import Origin
from tests.unit.receiver import Receiver
from tests.unit.sink import Sink

__all__ = ["DRILLS", "NO_END", "Ground", "Job", "ground", "make_sound"]

TICK_EVERY, REGISTER_EVERY, MORE_EVERY = 20, 50, 10
MP3 = {"fencing_token": 1, "audio_sha256": "ab" * 32, "duration_seconds": 0.5, "audio_type": "audio/mpeg"}
NO_END = {"MAX_USER_JOBS": "0", "MAX_USER_BYTES": "0", "MAX_QUEUED_JOBS": "0", "ACCESS_TOKEN_SECONDS": "86400"}
TUS = {"Tus-Resumable": "1.0.0"}
TICK = Envelope({"specversion": "1.0", "id": "1", "source": "/tick", "type": "dev.knative.sources.ping"}, b"")

# Has a function do what it does for the job of this number.
Job = Callable[[int], None]


@dataclass(frozen=True)
class Ground:
    """What the functions are given: stores, an account, a sink, a server of videos, and one that takes notices."""

    environment: dict[str, str]
    user_id: str
    headers: dict[str, str]
    sink: Sink
    origin: Origin
    receiver: Receiver
    sound: bytes

    def clip(self, number: int) -> bytes:
        """A sound of some kB: no two have the same bytes."""
        return self.sound + (16).to_bytes(4) + b"free" + number.to_bytes(8)


@contextmanager
def ground(directory: Path, database_url: str) -> Iterator[Ground]:
    """All of it, with files in the directory. This process writes into the same stores."""
    with Sink() as sink, Receiver() as receiver, Origin(make_sound(directory)) as origin:
        chats = f'{{"chat": "json://127.0.0.1:{receiver.server_port}/"}}'
        near = {"FETCH_ALLOWED_NETWORKS": "127.0.0.1/32", "NOTICE_SERVICES": chats, "RATE_LIMITS": NO_LIMITS}
        others = {f"{name.upper()}_URL": sink.url for name in DRILLS}
        environment = {**told(database_url, directory), **NO_END, **near, **others, "K_SINK": sink.url}
        receiver.status = 200
        with _here(environment), serving("login", environment) as (_, login):
            headers = sign_up(login)
            with database.reading() as connection:
                user_id = str(connection.execute(sa.select(users.c.id)).scalar_one())
            yield Ground(environment, user_id, headers, sink, origin, receiver, origin.content)


@contextmanager
def _here(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        _forget_stores()
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        _forget_stores()


def _forget_stores() -> None:
    database.engine.cache_clear()
    blobs.store.cache_clear()


def make_sound(directory: Path) -> bytes:
    """Half a second in some kB; a file of it is left in the directory."""
    path = directory / "sound.m4a"
    words = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac", "-b:a", "32k", str(path)]
    subprocess.run([ffmpeg(), *words], check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()


def _upload(ground: Ground, client: httpx.Client) -> Job:
    """By one request, by a resumable upload, by URL."""

    def by_request(number: int) -> None:
        headers = {**ground.headers, "Content-Type": "video/mp4", "Idempotency-Key": str(number)}
        query = {"filename": f"{number}.mp4"}
        _good(client.post("/v1/jobs", params=query, content=ground.clip(number), headers=headers))

    def resumable(number: int) -> None:
        clip, headers = ground.clip(number), {**ground.headers, **TUS}
        begun = client.post("/v1/uploads", headers={**headers, "Upload-Length": str(len(clip))})
        path, half = _good(begun).headers["Location"], len(clip) // 2
        for start, data in ((0, clip[:half]), (half, clip[half:])):
            more = {"Upload-Offset": str(start), "Content-Type": BYTES}
            _good(client.patch(path, content=data, headers={**headers, **more}))

    def by_url(number: int) -> None:
        asked = {"source_url": ground.origin.url, "filename": f"{number}.mp4"}
        job = _good(client.post("/v1/jobs", json=asked, headers=ground.headers)).json()
        _deliver(client, *dying.event(_event_of(job["id"], VideoSubmitted.TYPE)))

    return lambda number: (by_request, resumable, by_url)[number % 3](number)


def _convert(ground: Ground, client: httpx.Client) -> Job:
    """One conversion."""
    return lambda number: _deliver(
        client, *dying.event(dying.queued(ground.user_id, f"{number}.mp4", ground.clip(number)))
    )


def _notify(ground: Ground, client: httpx.Client) -> Job:
    """The news of one job: by mail, by webhook and in a chat."""
    client.headers.update(ground.headers)
    _good(client.post("/v1/webhooks", json={"url": ground.receiver.url}))
    chosen = {"events": {AudioCreated.TYPE: {"mail": True, "services": {"chat": True}}}}
    _good(client.put("/v1/me/notifications", json=chosen))
    return lambda number: _deliver(client, *_news(_done(ground, number), number))


def _download(ground: Ground, client: httpx.Client) -> Job:
    """Looking at it, fetching the MP3 and deleting it; now and then also the list, its stream, and a zip."""
    client.headers.update(ground.headers)

    def one(number: int) -> None:
        job_id = _done(ground, number)
        shown = _good(client.get(f"/v1/jobs/{job_id}")).json()
        _good(client.get(shown["links"]["audio"]))
        if number % MORE_EVERY == 0:
            _good(client.get("/v1/jobs", params={"limit": 20}))
            _good(client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}))
            made = _good(client.post("/v1/archives", json={"ids": [job_id]})).json()
            _good(client.get(httpx.URL(made["url"]).raw_path.decode()))
        _good(client.delete(f"/v1/jobs/{job_id}"))

    return one


def _sweep(ground: Ground, client: httpx.Client) -> Job:
    """A job that has expired, and a dead letter about it; and now and then a tick."""

    def one(number: int) -> None:
        job_id = _done(ground, number)
        rows.change(jobs, jobs.c.id == job_id, expires_at=rows.ago(60))
        headers, body = _news(job_id, number)
        _deliver(client, {**headers, "ce-knativeerrorcode": "500", "ce-knativeerrordest": "http://notify/"}, body)
        if number % TICK_EVERY == 0:
            _deliver(client, *write(TICK))

    return one


def _login(_ground: Ground, client: httpx.Client) -> Job:
    """A refreshed session and a look at the account; now and then a new account."""
    sessions: list[dict[str, Any]] = []

    def begin() -> None:
        account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        _good(client.post("/v1/users", json=account))
        form = {"grant_type": "password", "username": account["email"], "password": PASSWORD}
        sessions.append(_good(client.post("/v1/token", data=form)).json())

    def one(number: int) -> None:
        if number % REGISTER_EVERY == 0 or not sessions:
            begin()
        session = sessions.pop()
        form = {"grant_type": "refresh_token", "refresh_token": session["refresh_token"]}
        session = _good(client.post("/v1/token", data=form)).json()
        _good(client.get("/v1/me", headers={"Authorization": f"Bearer {session['access_token']}"}))
        sessions.append(session)

    return one


def _gateway(ground: Ground, client: httpx.Client) -> Job:
    """By somebody else each time: the page, an upload, a look at the job, and a request without a token."""

    def one(number: int) -> None:
        headers = {"Authorization": f"Bearer {token(ground.environment['SIGNING_KEY'], str(number))}"}
        _good(client.get("/"))
        more = {**headers, "Content-Type": "video/mp4"}
        _good(client.post("/v1/jobs", content=ground.clip(number), headers=more))
        _good(client.get(f"/v1/jobs/{number:032}", headers=headers))
        assert client.get("/v1/jobs").status_code == 401

    return one


def _done(ground: Ground, number: int) -> str:
    """A job with its MP3. Returns: its id."""
    job_id = rows.job("done", ground.user_id, filename=f"{number}.mp4", **MP3)
    audio = names.audio(job_id, 1)
    dying.store(audio, ground.sound)
    rows.change(jobs, jobs.c.id == job_id, audio=audio, audio_bytes=len(ground.sound))
    return job_id


def _news(job_id: str, number: int) -> tuple[dict[str, str], bytes]:
    """The event that says so: headers and body."""
    event = AudioCreated(job_id, f"{number}.mp4", 1000, 0.5)
    about = {"id": uuid.uuid4().hex, "source": AudioCreated.SOURCE or "", "subject": job_id}
    headers, body = write(encode(AudioCreated, event.to_data(), **about, time=now()))
    return dict(headers), body


def _event_of(job_id: str, event_type: str) -> str:
    mine = (outbox.c.job_id == job_id, outbox.c.type == event_type)
    with database.reading() as connection:
        return str(connection.execute(sa.select(outbox.c.event_id).where(*mine)).scalar_one())


def _deliver(client: httpx.Client, headers: Mapping[str, str], body: bytes) -> None:
    answer = client.post("/", headers=dict(headers), content=body)
    assert answer.status_code == 204, answer.text


def _good(answer: httpx.Response) -> httpx.Response:
    return answer.raise_for_status()


DRILLS: dict[str, Callable[[Ground, httpx.Client], Job]] = {
    "gateway": _gateway,
    "login": _login,
    "upload": _upload,
    "convert": _convert,
    "notify": _notify,
    "download": _download,
    "sweep": _sweep,
}
