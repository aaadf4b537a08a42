"""How the event loop reads what comes on a connection: into memory that all connections share, a mebibyte at a time.

uvloop does so only for what is no asyncio.Protocol, which uvicorn's protocols are. For those it reads a quarter of that
at a time, and makes a copy.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from functions.shared.incoming import PIECE

__all__ = ["Reading", "Receiver"]

# What is there is used at once, before anything else is read.
_BUFFER = memoryview(bytearray(PIECE))


class Receiver(Protocol):
    """The connection that is read for: a protocol of asyncio, whose `data_received` gets memory for the moment."""

    def data_received(self, data: memoryview) -> None:
        """Bytes have come."""

    def eof_received(self) -> bool | None:
        """The client sends nothing more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""

    def pause_writing(self) -> None:
        """The client takes nothing now."""

    def resume_writing(self) -> None:
        """The client takes something again."""


class Reading(asyncio.BufferedProtocol):
    """What a transport has as its protocol from `connection_made` on, and hands all on to the connection."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the event loop is to put what comes."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        self._receiver.data_received(_BUFFER[:nbytes])

    def eof_received(self) -> bool | None:
        """As Receiver."""
        return self._receiver.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """As Receiver."""
        self._receiver.connection_lost(exc)

    def pause_writing(self) -> None:
        """As Receiver."""
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        """As Receiver."""
        self._receiver.resume_writing()
