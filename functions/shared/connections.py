"""Connections to strangers' servers: to allowed addresses alone, and none that holds us for ever."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
from httpcore import NetworkBackend, NetworkStream

from functions.shared.addresses import resolved

__all__ = ["Guarded"]


class Guarded(NetworkBackend):
    """Connects to public addresses only, and to those in FETCH_ALLOWED_NETWORKS, until `deadline` (time.monotonic)."""

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
        """A connection to the first address of the host, if all of its addresses are allowed."""
        address = resolved(host, port)[0]
        stream = self._sockets.connect_tcp(str(address), port, timeout, local_address, socket_options)
        return _Bounded(stream, self._deadline)


class _Bounded(NetworkStream):
    """A stream that ends at a time (time.monotonic).

    A limit for each read alone would not do: a head of one byte every few seconds has no end.
    """

    def __init__(self, stream: NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes. Raises: httpcore.ReadTimeout."""
        return self._stream.read(max_bytes, self._left(timeout))

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
            raise httpcore.ReadTimeout("its time is over")
        return left if timeout is None else min(timeout, left)
