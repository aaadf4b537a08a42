"""functions/shared/outgoing.py: in how many pieces an answer leaves, and that all of it does."""

from __future__ import annotations

import asyncio

from functions.shared.outgoing import Outgoing


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def sent(*pieces: bytes | None) -> Wire:
    """What goes out when these are written; None is a turn of the event loop."""

    async def write() -> Wire:
        wire = Wire()
        answer = Outgoing(wire, asyncio.get_running_loop())
        for piece in pieces:
            if piece is None:
                await asyncio.sleep(0)
            else:
                answer.write(piece)
        await asyncio.sleep(0)
        return wire

    return asyncio.run(write())


def test_a_head_leaves_with_the_body_that_comes_at_once() -> None:
    assert sent(b"head", b"body").pieces == [b"headbody"]
    assert sent(b"head", b"").pieces == [b"head"]


def test_a_head_does_not_wait_for_a_body_that_comes_later() -> None:
    assert sent(b"head").pieces == [b"head"]
    assert sent(b"head", None, b"event").pieces == [b"head", b"event"]


def test_what_comes_after_the_head_is_not_held_back() -> None:
    assert sent(b"head", b"1", b"2", b"3").pieces == [b"head1", b"2", b"3"]


def test_all_is_sent_before_the_connection_closes_and_nothing_after() -> None:
    async def close(first_by_others: bool) -> Wire:
        wire = Wire()
        answer = Outgoing(wire, asyncio.get_running_loop())
        answer.write(b"head")
        if first_by_others:
            wire.close()
        answer.close()
        await asyncio.sleep(0)
        return wire

    assert asyncio.run(close(first_by_others=False)).pieces == [b"head"]
    assert asyncio.run(close(first_by_others=True)).pieces == []
