"""Each function as a cluster runs it: a process of its own, told everything by its environment."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.alone import command, serving, sign_up, told
from tests.e2e.inside import check_problem
from tests.patience import PATIENCE, eventually
from tests.system import ROOT

FUNCTIONS = ("gateway", "login", "upload", "convert", "notify", "download", "sweep")
WITH_DATABASE = tuple(name for name in FUNCTIONS if name != "gateway")
JOB = f"/v1/jobs/{'0' * 32}"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a cluster tells every function: stores (with tables), keys, and no sink."""
    data = tmp_path_factory.mktemp("alone")
    return told(f"sqlite:///{data}/rows.db", data)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_alive_ready_and_stops_when_told(environment: dict[str, str], name: str) -> None:
    with serving(name, environment) as (process, client):
        assert client.get("/healthz").json() == {"status": "ok"}
        eventually(lambda: client.get("/readyz").status_code == 200, f"{name} is ready")
        check_problem(client.get("/no/such/address"), 404, "not-found")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("name", WITH_DATABASE)
@pytest.mark.parametrize("database", ["sqlite:////nowhere/rows.db", "sqlite:///{tmp_path}/without-tables.db"])
def test_a_function_without_its_database_is_alive_and_not_ready(
    environment: dict[str, str], tmp_path: Path, name: str, database: str
) -> None:
    with serving(name, {**environment, "DATABASE_URL": database.format(tmp_path=tmp_path)}) as (_, client):
        assert client.get("/healthz").status_code == 200
        problem = check_problem(client.get("/readyz"), 503, "unavailable")
        assert "sqlite" not in json.dumps(problem)


@pytest.mark.parametrize(
    ("name", "routes"),
    [
        ("gateway", ["GET /v1/jobs", "POST /v1/jobs", "GET /v1/me"]),
        ("login", ["GET /v1/me"]),
        ("upload", ["POST /v1/jobs", f"POST {JOB}/retry"]),
        ("notify", ["GET /v1/me/mail"]),
        ("download", ["GET /v1/jobs", f"GET {JOB}", f"DELETE {JOB}", f"POST {JOB}/cancel", f"GET {JOB}/events"]),
    ],
)
def test_a_function_checks_the_token_itself(environment: dict[str, str], name: str, routes: list[str]) -> None:
    with serving(name, environment) as (_, client):
        for method, path in (route.split() for route in routes):
            for headers in ({}, {"Authorization": "Bearer a.b.c"}):
                response = client.request(method, path, headers=headers)
                check_problem(response, 401, "unauthenticated")
                assert "WWW-Authenticate" in response.headers


def test_the_gateway_forwards_and_then_stops_without_a_word(
    environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        serving("login", environment) as (_, login),
        serving("gateway", {**environment, "LOGIN_URL": str(login.base_url)}) as (process, gateway),
    ):
        sign_up(gateway)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert capfd.readouterr().err == ""


def test_functions_that_share_stores_do_the_work_of_all(environment: dict[str, str]) -> None:
    with serving("login", environment) as (_, login), serving("upload", environment) as (_, upload):
        token = sign_up(login)
        job = upload.post("/v1/jobs", content=b"no video", headers={**token, "Content-Type": "video/mp4"}).json()
    with serving("download", environment) as (_, download):
        # Which place it has in the queue, download alone says, and after a moment.
        seen = download.get(f"/v1/jobs/{job['id']}", headers=token).json()
        assert seen | {"queue_position": None} == job


@pytest.mark.parametrize(("name", "status"), [("upload", 500), ("convert", 500), ("notify", 500), ("sweep", 204)])
def test_a_subscriber_answers_what_is_no_event_so_that_the_broker_keeps_it_and_sweep_writes_it_down(
    environment: dict[str, str], name: str, status: int
) -> None:
    with serving(name, environment) as (_, client):
        for headers in ({}, {"ce-id": "1"}, {"Content-Type": "application/cloudevents+json"}):
            response = client.post("/", headers=headers, content=b"[")
            assert response.status_code == status
            assert "Traceback" not in response.text


def test_an_upload_in_flight_is_finished_before_the_process_ends(environment: dict[str, str]) -> None:
    with serving("login", environment) as (_, login):
        headers = {**sign_up(login), "Content-Type": "video/mp4"}
    unfinished = Path(environment["BLOBS_URL"].removeprefix("file://")) / "unfinished"
    with serving("upload", environment) as (process, client):

        def body() -> Iterator[bytes]:
            yield b"the beginning"
            eventually(lambda: list(unfinished.glob("*")), "an upload under way")
            process.send_signal(signal.SIGTERM)
            # Time enough for a process that would not wait to be gone.
            time.sleep(2)
            yield b", the middle, the end"

        assert client.post("/v1/jobs", content=body(), headers=headers).status_code == 202
        assert process.wait(PATIENCE) == 0


def test_a_live_stream_ends_in_order_when_the_process_is_told_to_stop(environment: dict[str, str]) -> None:
    with serving("login", environment) as (_, login), serving("upload", environment) as (_, upload):
        token = sign_up(login)
        job = upload.post("/v1/jobs", content=b"no video", headers={**token, "Content-Type": "video/mp4"}).json()
    with (
        serving("download", environment) as (process, client),
        client.stream("GET", job["links"]["events"], headers=token) as response,
    ):
        lines = response.iter_lines()
        assert "event: job" in lines
        process.send_signal(signal.SIGTERM)
        # Raises, should the stream break off.
        assert list(lines)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("login", {"PORT": "http"}, "PORT must be a whole number, not 'http'"),
        ("login", {"SIGNING_KEY": ""}, "SIGNING_KEY is not set"),
        ("upload", {"JWKS": ""}, "JWKS is not set"),
        ("download", {"LINK_SECRET": ""}, "LINK_SECRET is not set"),
        ("upload", {"TRUSTED_SOURCES": '{"/cms": 7}'}, "TRUSTED_SOURCES must be a JSON object of texts"),
        ("upload", {"TRUSTED_SOURCES": "/cms: anna"}, "TRUSTED_SOURCES must be a JSON object of texts"),
        ("download", {"LINK_SECRET": "x"}, "LINK_SECRET must have 32 bytes or more"),
        ("convert", {"LEASE_SECONDS": "-1"}, "LEASE_SECONDS must be a whole number"),
        ("convert", {"BLOBS_URL": "s3://bucket"}, "BLOBS_URL must begin with file: or"),
        ("convert", {"DATABASE_URL": "oracle://scott:tiger@rows"}, "DATABASE_URL must begin with mysql+pymysql: or"),
        ("notify", {"SMTP_URL": "pigeon://loft"}, "SMTP_URL must begin with smtp: or"),
        ("sweep", {"LOG_LEVEL": "chatty"}, "LOG_LEVEL must be one of DEBUG"),
        ("sing", {}, "invalid choice: 'sing'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_function_that_is_told_nonsense_says_so_and_does_not_start(
    environment: dict[str, str], name: str, wrong: dict[str, str], said: str
) -> None:
    process = subprocess.run(
        command(name), cwd=ROOT, env={**environment, **wrong}, capture_output=True, text=True, timeout=PATIENCE
    )

    assert process.returncode > 0
    assert said in process.stderr
    assert "Traceback" not in process.stderr
    assert "tiger" not in process.stderr
