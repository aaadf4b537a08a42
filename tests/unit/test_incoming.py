"""What has come of a request's body, on its way to the handler."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from functions.shared.incoming import PIECE, Incoming


class _Flow:
    def __init__(self) -> None:
        self.resumed = 0

    def resume_reading(self) -> None:
        self.resumed += 1


def _cycle(**differs: Any) -> Any:
    still = {"disconnected": False, "response_complete": False, "waiting_for_100_continue": False, "more_body": True}
    return SimpleNamespace(**{**still, "message_event": asyncio.Event(), "flow": _Flow(), **differs})


def test_a_large_piece_is_handed_on_as_it_came_and_small_ones_together() -> None:
    incoming, large = Incoming(_cycle()), bytes(PIECE)
    for piece in (b"one", b"two", large, b"three"):
        incoming.add(piece)
    first, second, third = (asyncio.run(incoming.receive())["body"] for _ in range(3))
    assert (first, third) == (b"onetwo", b"three")
    assert second is large
    assert incoming.size_bytes == 0


def test_the_last_piece_says_so_and_a_client_that_went_is_told() -> None:
    cycle = _cycle()
    incoming = Incoming(cycle)
    incoming.add(b"all")
    cycle.more_body = False
    assert asyncio.run(incoming.receive()) == {"type": "http.request", "body": b"all", "more_body": False}
    cycle.disconnected = True
    assert asyncio.run(incoming.receive()) == {"type": "http.disconnect"}


def test_the_client_may_send_on_once_all_is_read() -> None:
    async def read() -> int:
        cycle = _cycle()
        incoming = Incoming(cycle)
        incoming.add(b"one")
        await incoming.receive()
        asyncio.get_running_loop().call_later(0.01, incoming.add, b"two")
        assert (await incoming.receive())["body"] == b"two"
        return int(cycle.flow.resumed)

    assert asyncio.run(read()) == 1
