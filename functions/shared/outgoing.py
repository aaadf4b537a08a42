"""An answer's way out of the process: its head goes with the body that follows at once, by one call, in one packet.

The server writes them one by one; for short answers, refusals above all, that is a good part of what they cost, and it
wakes the client twice.
"""

from __future__ import annotations

import asyncio

__all__ = ["Outgoing"]


class Outgoing:
    """What the server has of a transport, for one answer. What nothing follows in this turn of the loop is sent."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        self._begun = False
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send it, with what was held back; the first piece is held back."""
        if self._begun:
            self._transport.write(self._head + data if self._head else data)
            self._head = b""
        else:
            self._head, self._begun = data, True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what was held back."""
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""

    def close(self) -> None:
        """Close the connection, once all is sent."""
        self.flush()
        self._transport.close()
