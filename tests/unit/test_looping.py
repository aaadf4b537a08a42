"""The tests' own servers in an event loop: nothing of theirs is left that would fail another test."""

from __future__ import annotations

import gc
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.proxy import Relay
from tests.servers.looping import InLoop
from tests.unit.smtp import Server

MANY = 20


@pytest.fixture
def target() -> Iterator[int]:
    """The port of somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=MANY) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("make", [Relay, lambda _: Server()], ids=["relay", "mail server"])
@pytest.mark.parametrize("waits", [False, True], ids=["about to be taken", "taken"])
def test_connections_that_are_there_at_the_end_are_closed(
    target: int, make: Callable[[int], InLoop], waits: bool
) -> None:
    for _ in range(5):
        with warnings.catch_warnings(record=True) as unclosed, ExitStack() as clients:
            warnings.simplefilter("always")
            # What others have left is none of this.
            gc.collect()
            unclosed.clear()
            with make(target) as server:
                for _ in range(MANY):
                    clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                if waits:
                    server._run(server._turn())
            gc.collect()
        assert [str(each.message) for each in unclosed] == []
