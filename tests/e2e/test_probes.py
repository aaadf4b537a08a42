"""Probes of one function that is busy, or whose stores hang: answered beside the work, and at the price of nothing."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pymysql
import pytest

from functions.shared.database import CHECKING_CONNECTIONS, CONNECTIONS
from tests.e2e.alone import serving, sign_up, told
from tests.patience import PATIENCE, eventually
from tests.servers import MariaDB

MANY = 100


@pytest.fixture
def database(mariadb: MariaDB) -> str:
    """The name of a database of its own."""
    name = f"probes_{uuid.uuid4().hex}"
    mariadb.create(name)
    return name


@pytest.fixture
def environment(mariadb: MariaDB, database: str, tmp_path: Path) -> dict[str, str]:
    """What a function is told, with rows in MariaDB."""
    return told(mariadb.url_of(database), tmp_path)


@pytest.mark.parametrize(("name", "path"), [("login", "/v1/token"), ("sweep", "/")])
def test_probes_are_answered_while_every_slot_is_taken_and_more_wait(
    environment: dict[str, str], name: str, path: str
) -> None:
    with serving(name, {**environment, "CONCURRENCY": "2"}) as (_, client), ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(unfinished(client, path))
        time.sleep(1)  # for all of them to have been taken in
        for _ in range(10):
            assert client.get("/healthz").status_code == 200
            eventually(lambda: client.get("/readyz").status_code == 200, f"{name} is ready")


@pytest.mark.parametrize("name", ["login", "download"])
def test_a_hundred_probes_of_a_function_whose_database_hangs_share_one_connection(
    environment: dict[str, str], name: str
) -> None:
    with hanging() as (port, open_connections):
        url = f"mysql+pymysql://nobody@127.0.0.1:{port}/none"
        with serving(name, {**environment, "DATABASE_URL": url, "CONCURRENCY": "50"}) as (_, client):
            assert asked(client, "/readyz") == {503}
            assert asked(client, "/healthz") == {200}
    assert max(open_connections) == 1


@pytest.mark.parametrize("name", ["login", "download"])
def test_a_database_that_freezes_makes_a_function_unready_without_threads_that_wait(
    environment: dict[str, str], mariadb: MariaDB, name: str
) -> None:
    with serving(name, {**environment, "CONCURRENCY": "50"}) as (process, client):
        eventually(lambda: client.get("/readyz").status_code == 200, f"{name} is ready")
        before = threads(process.pid)
        with mariadb.frozen():
            eventually(lambda: client.get("/readyz").status_code == 503, f"{name} is not ready")
            assert asked(client, "/readyz") == {503}
            assert asked(client, "/healthz") == {200}
            # The thread of the check, and the one for probes that nobody had needed before.
            assert threads(process.pid) <= before + 2
        eventually(lambda: client.get("/readyz").status_code == 200, f"{name} is ready again")


def test_fifty_requests_at_a_time_share_few_connections_and_leave_the_function_ready(
    environment: dict[str, str], mariadb: MariaDB, database: str
) -> None:
    with serving("login", environment) as (_, login):
        token = sign_up(login)
    with (
        serving("download", {**environment, "CONCURRENCY": "50"}) as (_, client),
        ThreadPoolExecutor(50) as pool,
    ):
        with locked(mariadb, database, "jobs") as connections:
            listed = [pool.submit(client.get, "/v1/jobs", headers=token) for _ in range(50)]
            eventually(lambda: connections() >= CONNECTIONS, "requests wait for the table")
            most = max(sampled(connections))
            assert client.get("/readyz").status_code == 200
        assert {each.result().status_code for each in listed} == {200}
    assert most <= CONNECTIONS + CHECKING_CONNECTIONS


@contextmanager
def unfinished(client: httpx.Client, path: str) -> Iterator[None]:
    """A request whose body never comes to its end, so that a thread has to wait for it."""
    url = client.base_url
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\ngrant".encode())
        yield


@contextmanager
def hanging() -> Iterator[tuple[int, list[int]]]:
    """A server that takes connections and says nothing. Gives: its port, and how many it had at each new one."""
    held: list[socket.socket] = []
    counts: list[int] = []

    def take_in(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                held.append(listener.accept()[0])
                counts.append(sum(map(is_open, held)))

    with socket.create_server(("127.0.0.1", 0), backlog=MANY) as listener:
        taking = threading.Thread(target=take_in, args=(listener,))
        taking.start()
        yield listener.getsockname()[1], counts
        listener.shutdown(socket.SHUT_RDWR)
        taking.join()
    for each in held:
        each.close()


def is_open(connection: socket.socket) -> bool:
    """Whether the other side still holds the connection."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def asked(client: httpx.Client, path: str) -> set[int]:
    """What a hundred hear that ask at the same time, each on a connection of its own."""

    def ask(_: int) -> int:
        connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=PATIENCE)
        with closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    with ThreadPoolExecutor(MANY) as pool:
        return set(pool.map(ask, range(MANY)))


def threads(pid: int) -> int:
    """How many threads a function has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@contextmanager
def locked(mariadb: MariaDB, database: str, table: str) -> Iterator[Callable[[], int]]:
    """Nobody else gets at a table during the block. Gives: how many others are connected to the database."""
    with (
        pymysql.connect(host="127.0.0.1", port=mariadb.port, user="root", database=database) as holder,
        pymysql.connect(host="127.0.0.1", port=mariadb.port, user="root", autocommit=True) as looker,
        holder.cursor() as lock,
        looker.cursor() as look,
    ):
        lock.execute(f"LOCK TABLES {table} WRITE")

        def connections() -> int:
            look.execute("SHOW PROCESSLIST")
            others = [row for row in look.fetchall() if row[3] == database]
            return len(others) - 1

        yield connections
        lock.execute("UNLOCK TABLES")


def sampled(connections: Callable[[], int]) -> Iterator[int]:
    """The count again and again, for the time in which all would have come that come."""
    for _ in range(10):
        time.sleep(0.1)
        yield connections()
