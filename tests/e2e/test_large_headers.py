"""What a broker's ingress lets through, and a server might refuse by itself: over real processes, by raw sockets."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.alone import run, serving
from tests.e2e.inside import check_problem
from tests.patience import PATIENCE

SUBSCRIBERS = ("upload", "convert", "notify", "sweep")
# Go's net/http takes a head of 1 MiB, and so do the ingress and the queue-proxy.
HEADERS = {
    "a header of 9 KB": {"ce-big": "x" * 9_000},
    "a header of 200 KB": {"ce-big": "x" * 200_000},
    "nearly a megabyte of headers": {f"ce-big{number}": "x" * 100_000 for number in range(10)},
    "96 extensions": {f"ce-ext{number}": "v" for number in range(96)},
    "2000 extensions": {f"ce-ext{number}": "v" for number in range(2000)},
    "an empty value": {"ce-empty": ""},
    "bytes that are no ASCII": {"ce-bad": "\xff\xfe\x80"},
    "bad percent-encoding": {"ce-bad": "%ff%zz%"},
    "a tab in the subject": {"ce-subject": "a\tb"},
    "a name with an underscore": {"ce-a_b": "v"},
    "an odd name": {"ce-a.b!": "v"},
    "a host that is none": {"Host": "a b/c"},
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a cluster tells every function: stores of this module (with tables), keys, and no sink."""
    data = tmp_path_factory.mktemp("headers")
    tokens = json.loads(run("functions.login.keys", os.environ).stdout)
    keys = {name.upper().replace("-", "_"): value for name, value in tokens.items()}
    stores = {"DATABASE_URL": f"sqlite:///{data}/rows.db", "BLOBS_URL": f"file://{data}/blobs"}
    everything = {**os.environ, **keys, **stores, "SMTP_URL": f"file://{data}/mail", "HOST": "127.0.0.1"}
    run("functions.shared.migrate", everything)
    return everything


@pytest.fixture(scope="module")
def running(alone: dict[str, str]) -> Iterator[Mapping[str, httpx.Client]]:
    """Each subscriber in a process of its own."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving(name, alone))[1] for name in SUBSCRIBERS}


@pytest.mark.parametrize("name", SUBSCRIBERS)
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_whatever_the_headers_a_subscriber_is_asked_and_the_event_is_not_dropped(
    running: Mapping[str, httpx.Client], name: str, headers: dict[str, str]
) -> None:
    """Nobody knows the event's type: 500, so that it goes to the dead letters; there it is written down."""
    wanted = 204 if name == "sweep" else 500
    assert post(running[name], event(f"{name}/{sorted(headers)}", **headers)) == wanted


def test_a_dead_letter_with_large_headers_is_kept_whole(
    running: Mapping[str, httpx.Client], alone: dict[str, str]
) -> None:
    extensions = {f"ce-ext{number}": "x" * 400 for number in range(2000)}
    assert post(running["sweep"], event("kept-whole", **extensions)) == 204
    query = "SELECT attributes FROM dead_letters WHERE json_extract(attributes, '$.id') = 'kept-whole'"
    path = alone["DATABASE_URL"].removeprefix("sqlite:///")
    assert Path(path).exists()
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
        ((found,),) = connection.execute(query)
    assert sum(value == "x" * 400 for value in json.loads(found).values()) == 2000


@pytest.mark.parametrize("headers", [{"X-Big": "x" * 100_000}, {f"X-{number}": "v" for number in range(500)}])
def test_a_client_of_the_api_is_told_that_its_headers_are_too_large(
    running: Mapping[str, httpx.Client], headers: dict[str, str]
) -> None:
    check_problem(running["upload"].post("/v1/jobs", headers=headers), 431, "headers-too-large")


def test_headers_without_end_are_refused_before_they_fill_the_memory(running: Mapping[str, httpx.Client]) -> None:
    assert post(running["sweep"], {f"ce-big{number}": "x" * 1_000_000 for number in range(4)}) == 431


def event(event_id: str, **headers: str) -> dict[str, str]:
    """The headers of an event of a type that nobody handles."""
    about = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/cms", "ce-type": "com.example.thing.v1"}
    return {"Host": "subscriber.audiolift.svc.cluster.local", **about, "Content-Type": "application/json", **headers}


def post(client: httpx.Client, headers: Mapping[str, str]) -> int:
    """POST an event as it stands, without a library that has an opinion. Returns: the status of the answer."""
    lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "Content-Length: 2", "", "{}"]
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        # It may have answered already.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall("\r\n".join(lines).encode("latin-1"))
        return int(connection.makefile("rb").readline().split()[1])
