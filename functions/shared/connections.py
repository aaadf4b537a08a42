"""Connections to strangers' servers: to allowed addresses alone, and none that holds us for ever."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
from httpcore import NetworkBackend, NetworkStream

from functions.shared.addresses import Address, resolved
from functions.shared.once import once

__all__ = ["Guarded", "trust"]

# A host that has more addresses is not tried at all of them.
MAX_ADDRESSES = 4
# As slow as our own clients may be (functions/shared/pace.py): 512 bytes a second, over a minute.
SLOW_SECONDS, SLOW_BYTES = 60.0, 512


@once
def trust() -> ssl.SSLContext:
    """Whom a server's certificate must be from: read from the disk once, which takes longer than most requests."""
    return ssl.create_default_context()


class Guarded(NetworkBackend):
    """Connects to allowed addresses only, until `deadline` (time.monotonic)."""

    def __init__(self, deadline: float) -> None:
        self._sockets = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """A connection to the first address of the host that answers, if all of its addresses are allowed."""
        *others, last = resolved(host, port)[:MAX_ADDRESSES]
        for address in others:
            try:
                return self._connect(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(last, port, timeout, local_address, socket_options)

    def _connect(self, address: Address, port: int, timeout: float | None, *rest: Any) -> NetworkStream:
        return _Bounded(self._sockets.connect_tcp(str(address), port, timeout, *rest), self._deadline)


class _Bounded(NetworkStream):
    """A stream that ends at a time (time.monotonic), and when what is waited for comes too slowly.

    A limit for each read alone would not do: a head, or a body, of one byte every few seconds has no end. The time in
    which nobody reads is not the server's fault.
    """

    def __init__(self, stream: NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline
        self._waited, self._received = 0.0, 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes. Raises: httpcore.ReadTimeout."""
        began = time.monotonic()
        data = self._stream.read(max_bytes, self._left(timeout))
        self._waited += time.monotonic() - began
        self._received += len(data)
        if self._waited > SLOW_SECONDS and self._received < self._waited * SLOW_BYTES:
            raise httpcore.ReadTimeout(f"it sends less than {SLOW_BYTES} bytes a second")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        """The same, encrypted."""
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, self._left(timeout)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the stream beneath knows."""
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for this fetch is over")
        return left if timeout is None else min(timeout, left)
