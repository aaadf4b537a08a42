"""docs/emit.md: each of its examples, as printed, becomes a job of the account that the source is trusted for."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pika
import pytest

from events.catalogue import VideoSubmitted
from tests import media
from tests.integration.bridge_world import amqp
from tests.patience import PATIENCE
from tests.servers import RabbitMQ
from tests.system import PASSWORD, Audiolift

TEXT = (Path(__file__).parents[2] / "docs" / "emit.md").read_text(encoding="utf-8")
EXAMPLES = {
    section.partition("\n")[0]: code
    for section in TEXT.split("\n## ")
    for code in re.findall(r"^```(?:python|bash)\n(.*?)```", section, re.MULTILINE | re.DOTALL)
}
EMAIL = "videos@example.com"
QUEUE = "/apis/v1/namespaces/audiolift/rabbitmqsources/video-submitted#audiolift.video-submitted"
TYPE, BODY = VideoSubmitted.TYPE, b'{"url": "https://media.example.com/talk.mp4"}'
EXAMPLE_URL = "https://media.example.com/talk.mp4"
Owner = tuple[httpx.Client, dict[str, str]]
OPTIONS_OF_KN_EVENT_SEND = {"--type", "--source", "--id", "--field", "--to-url"}


@pytest.fixture(scope="module")
def owner(
    rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A client of the account that jobs are submitted for, and the environment of the examples."""
    trusted = json.dumps({"/example/cms": EMAIL, QUEUE: EMAIL})
    settings = {"RABBITMQ_URL": rabbitmq.url, "TRUSTED_SOURCES": trusted, "FETCH_ALLOWED_NETWORKS": "127.0.0.1/32"}
    audiolift = Audiolift(tmp_path_factory.mktemp("emit") / "data", settings, ("-v",))
    ingress = next(line.split()[-1] for line in audiolift.output if line.startswith("audiolift-broker-ingress is at"))
    with httpx.Client(base_url=audiolift.url, timeout=PATIENCE) as client:
        client.post("/v1/users", json={"email": EMAIL, "password": PASSWORD}).raise_for_status()
        form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
        client.headers["Authorization"] = f"Bearer {client.post('/v1/token', data=form).json()['access_token']}"
        rows = str(audiolift.data / "audiolift.db")
        yield client, {**os.environ, "RABBITMQ_URL": rabbitmq.url, "INGRESS": ingress, "ROWS": rows}
    audiolift.stop()


PROGRAMS = [
    ("Python, to RabbitMQ", [sys.executable, "-c"]),
    ("A plain message, to RabbitMQ", [sys.executable, "-c"]),
    ("HTTP, to the broker's ingress", ["bash", "-c"]),
]


@pytest.mark.parametrize(("title", "program"), PROGRAMS)
def test_an_example_makes_one_job_however_often_it_is_sent(owner: Owner, title: str, program: list[str]) -> None:
    client, environment = owner
    before = _jobs(client)
    environment = {**environment, "ID": uuid.uuid4().hex}
    for _ in range(2):
        subprocess.run([*program, EXAMPLES[title]], env=environment, check=True, capture_output=True)
    deadline = time.monotonic() + PATIENCE
    while _jobs(client) == before:
        assert time.monotonic() < deadline, "no job came of it"
        time.sleep(0.2)
    subprocess.run([*program, EXAMPLES[title]], env=environment, check=True, capture_output=True)
    assert len(_jobs(client) - before) == 1


@pytest.mark.parametrize(("title", "program"), PROGRAMS)
def test_what_an_example_submits_becomes_an_mp3(owner: Owner, title: str, program: list[str], video: Path) -> None:
    client, environment = owner
    before = _jobs(client)
    with _served(video) as url:
        code = EXAMPLES[title].replace(EXAMPLE_URL, url)
        subprocess.run([*program, code], env={**environment, "ID": uuid.uuid4().hex}, check=True, capture_output=True)
        job = _ended(client, before)
    assert job["state"] == "done", job["error"]
    assert media.tone(client.get(job["links"]["audio"]).raise_for_status().content) == pytest.approx(440, abs=2)


def test_what_is_no_submission_is_written_down_whole_and_nothing_is_left_in_rabbitmq(
    owner: Owner, rabbitmq: RabbitMQ
) -> None:
    client, environment = owner
    before, bodies = _jobs(client), {uuid.uuid4().hex: body for body in (b"rubbish", b"\x00\xff", b'{"url": 7}')}
    for mark, body in bodies.items():
        _publish(environment, body, message_id=mark)
    for source, kind in (("/example/cms", "nubmers"), ("/nobody", TYPE)):
        mark = uuid.uuid4().hex
        bodies[mark] = BODY
        _publish(environment, BODY, headers=_headers(mark, source, kind))
    _eventually(lambda: all(_letters(environment, mark) == [body] for mark, body in bodies.items()))
    assert _jobs(client) == before
    _eventually(lambda: not _left(rabbitmq))


def test_what_a_source_could_not_deliver_becomes_one_job_by_itself(owner: Owner, rabbitmq: RabbitMQ) -> None:
    client, environment = owner
    before, event, plain = _jobs(client), uuid.uuid4().hex, uuid.uuid4().hex
    for exchange in ("audiolift.video-submitted.dlx", "audiolift.video-submitted.dlx", "audiolift.video-submitted"):
        _publish(environment, BODY, exchange, headers=_headers(event, "/example/cms", TYPE))
        _publish(environment, BODY, exchange, message_id=plain)
    _eventually(lambda: _letters(environment, event) == _letters(environment, plain) == [BODY])
    _eventually(lambda: _replayed(environment, event) and _replayed(environment, plain))
    _eventually(lambda: not _left(rabbitmq))
    assert len(_jobs(client) - before) == 2


def _headers(id: str, source: str, type: str) -> dict[str, str]:
    return {"specversion": "1.0", "id": id, "source": source, "type": type, "subject": id}


def _publish(
    environment: Mapping[str, str], body: bytes, exchange: str = "audiolift.video-submitted", **properties: Any
) -> None:
    with amqp(environment["RABBITMQ_URL"]) as channel:
        channel.confirm_delivery()
        about = pika.BasicProperties(delivery_mode=2, **properties)
        channel.basic_publish(exchange, "", body, about, mandatory=True)


def _letters(environment: Mapping[str, str], subject: str) -> list[bytes]:
    """The data of the dead letters of this subject."""
    return [data for attributes, data, _ in _rows(environment) if json.loads(attributes).get("subject") == subject]


def _replayed(environment: Mapping[str, str], subject: str) -> bool:
    """Whether a dead letter of this subject was sent again."""
    return any(
        json.loads(attributes).get("subject") == subject and count for attributes, _, count in _rows(environment)
    )


def _rows(environment: Mapping[str, str]) -> list[tuple[str, bytes, int]]:
    with closing(sqlite3.connect(environment["ROWS"], timeout=PATIENCE)) as rows:
        return rows.execute("SELECT attributes, data, replays FROM dead_letters").fetchall()


def _left(rabbitmq: RabbitMQ) -> dict[str, int]:
    """The queues of audiolift that are not empty."""
    return {name: count for name, count in rabbitmq.messages().items() if "audiolift." in name and count}


def _eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it still does not hold"
        time.sleep(0.2)


@contextmanager
def _served(video: Path) -> Iterator[str]:
    """The URL of a file, on a web server of this machine."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(video.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{video.name}"
        server.shutdown()
        thread.join()


def _ended(client: httpx.Client, before: set[str]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        jobs: list[dict[str, Any]] = client.get("/v1/jobs").raise_for_status().json()["items"]
        for job in jobs:
            if job["id"] not in before and job["state"] in ("done", "failed"):
                return job
        time.sleep(0.2)
    raise AssertionError("no job came to its end")


def test_the_example_for_kn_which_is_not_run_here_has_only_options_that_its_documentation_names() -> None:
    assert set(re.findall(r"--[a-z-]+", EXAMPLES["kn"])) == OPTIONS_OF_KN_EVENT_SEND


def _jobs(client: httpx.Client) -> set[str]:
    return {job["id"] for job in client.get("/v1/jobs").raise_for_status().json()["items"]}
