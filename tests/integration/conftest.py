"""The real servers, private to this test process, each started by the first test that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.servers import MariaDB, Missing, Mongo, RabbitMQ, Server

AnyServer = TypeVar("AnyServer", bound=Server)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB for all tests of this process."""
    yield from _serve(MariaDB(tmp_path_factory.mktemp("mariadb")))


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A RabbitMQ for all tests of this process."""
    yield from _serve(RabbitMQ(tmp_path_factory.mktemp("rabbitmq")))


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongo]:
    """A MongoDB, or what speaks its protocol, for all tests of this process."""
    yield from _serve(Mongo(tmp_path_factory.mktemp("mongo")))


def _serve(server: AnyServer) -> Iterator[AnyServer]:
    try:
        server.start()
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    yield server
    server.stop()
