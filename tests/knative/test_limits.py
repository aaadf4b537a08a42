"""What Serving limits: concurrency, time, connections; and what it does not, the size of an upload."""

from __future__ import annotations

import struct
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from knative.local.cluster import Sink
from tests import media
from tests.e2e.inside import check_problem, peak_rss, tree
from tests.knative.outside import ToFront
from tests.knative.plane import Plane
from tests.patience import PATIENCE, eventually
from tests.system import User

LARGE = 500_000_000
CHUNK = 1_000_000
MOST_MEMORY = 200_000_000
# As docs/deploy.md adds them up: three for work, one for readiness.
MOST_CONNECTIONS = 4
GUESSES = 5
TOKEN = {"grant_type": "password", "username": "nobody@example.com", "password": "not a pass phrase"}


def test_500_megabytes_pass_through_memory_that_does_not_grow(plane: Plane, user: User, tmp_path: Path) -> None:
    video = media.make(tmp_path / "mp4-faststart.mp4").read_bytes()

    def body() -> Iterator[bytes]:
        yield video + struct.pack(">I4s", LARGE + 8, b"free")
        for _ in range(LARGE // CHUNK):
            yield bytes(CHUNK)

    headers = {"Content-Type": "video/mp4", "Content-Length": str(len(video) + 8 + LARGE)}
    answer = user.http.post("/v1/jobs", content=body(), headers=headers)
    assert answer.status_code == 202, answer.text
    job = user.wait(answer.json()["id"])

    assert job["state"] == "done", job["error"]
    assert media.tone(user.audio(job)) == pytest.approx(440, abs=2)
    pods = [plane.pods[name] for name in ("gateway", "upload")]
    programs = [program for pod in pods for program in (pod.function, pod.queue_proxy)]
    assert max(peak_rss(pid) for program in programs for pid in tree(program.pid)) < MOST_MEMORY


def test_what_finds_the_queue_full_is_told_when_to_come_again(plane: Plane) -> None:
    """queue-proxy lets containerConcurrency requests in, and ten times as many wait."""
    login, room = plane.pods["login"].function, 11 * plane.cluster.services["login"].concurrency
    too_many = 8
    with ThreadPoolExecutor(room + too_many) as pool:
        with login.frozen():
            asked = [pool.submit(plane.http.post, f"{plane.url}/v1/token", data=TOKEN) for _ in range(room + too_many)]
            eventually(lambda: sum(each.done() for each in asked) >= too_many, "as many are refused as are too many")
        answers = [each.result() for each in asked]
    refused = [answer for answer in answers if answer.status_code >= 500]
    assert len(refused) == too_many, Counter(answer.status_code for answer in answers)
    for answer in refused:
        check_problem(answer, 502, "bad-gateway")
        assert int(answer.headers["Retry-After"]) > 0


def test_what_takes_longer_than_its_time_ends_with_504_and_a_problem_for_the_client(plane: Plane) -> None:
    login = plane.pods["login"].function
    inside = plane.cluster.url(Sink("Service", "login"))
    with login.frozen(), ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(plane.http.post, f"{base}/v1/token", data=TOKEN) for base in (inside, plane.url)]
        answers = [each.result() for each in asked]
    assert answers[0].status_code == 504
    check_problem(answers[1], 502, "bad-gateway")


def test_a_gateway_that_is_sent_to_itself_says_so(plane: Plane) -> None:
    plane.replace("gateway", LOGIN_URL=plane.cluster.url(Sink("Service", "gateway")))
    try:
        answer = plane.http.get(f"{plane.url}/.well-known/jwks.json")
    finally:
        plane.replace("gateway")
    check_problem(answer, 508, "loop-detected")


def test_an_address_is_limited_whatever_it_claims_to_come_from(plane: Plane) -> None:
    """Past the ingress, and a queue-proxy that adds to the list itself; as docs/deploy.md says it is set up."""
    ours = f"127.0.0.0/8 ::1/128 {plane.front}"
    plane.replace("gateway", RATE_LIMITS=f'{{"sign-in": "{GUESSES}/3600"}}', TRUSTED_PROXIES=ours)
    another = httpx.Client(transport=ToFront(plane.front, plane.network.own_address()), timeout=PATIENCE)
    try:
        with another:
            answers = [guess(plane, plane.http, number).status_code for number in range(2 * GUESSES)]
            assert guess(plane, another, 1).status_code == 401
            refused = guess(plane, plane.http, 2)
    finally:
        plane.replace("gateway")
    # A process that has just started counts by itself until it knows MongoDB.
    assert GUESSES <= answers.count(401) < 2 * GUESSES, answers
    check_problem(refused, 429, "too-many-requests")
    assert int(refused.headers["Retry-After"]) > 0


def guess(plane: Plane, client: httpx.Client, number: int) -> httpx.Response:
    """A sign-in by another account each time (those have limits) that names another client in each way there is."""
    made_up = f"203.0.113.{number}"
    headers = {"X-Forwarded-For": made_up, "Forwarded": f"for={made_up}", "X-Real-IP": made_up, "Client-IP": made_up}
    named = {**TOKEN, "username": f"{uuid.uuid4().hex}@example.com"}
    return client.post(f"{plane.url}/v1/token", data=named, headers=headers)


def test_a_host_that_nobody_has_is_not_found(plane: Plane) -> None:
    assert plane.http.get("http://nobody.audiolift.svc.cluster.local/").status_code == 404


def test_readiness_uses_up_no_connections_while_the_database_hangs(plane: Plane) -> None:
    """A pod that starts is asked many times a second by its queue-proxy, one that runs once a second by its kubelet."""
    names = [name for name in plane.cluster.services if name != "gateway"]
    plane.rows_relay.hang()
    try:
        starting = [plane.begin(name) for name in names]
        pods = [*plane.pods.values(), *starting]
        ends, held = time.monotonic() + 30, Counter[str]()
        while time.monotonic() < ends:
            for pod in pods:
                pod.probe(seconds=0.2)
            held |= Counter({f"{pod.name} {pod.address}": pod.connections(plane.rows_relay.port) for pod in pods})
    finally:
        plane.rows_relay.flow()
    for pod in pods:
        pod.wait()
    for pod in starting:
        pod.delete()
    assert max(held.values()) <= MOST_CONNECTIONS, held
    assert plane.user()
