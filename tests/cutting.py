"""A TCP proxy that cuts connections off after some bytes, as a bad network does."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

__all__ = ["Cutting", "cutting"]

_PIECE = 16 * 1024


class Cutting:
    """`cuts` connections are cut off, each after up to `longest` bytes from the client; `sent` counts all of these."""

    def __init__(self, target: str, seed: int, cuts: int, longest: int) -> None:
        parts = urlsplit(target)
        self._to, self._random = (parts.hostname or "", parts.port or 80), random.Random(seed)
        self.cuts, self._longest, self.sent = cuts, longest, 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no further connection."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._to) as server:
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            left = self._random.randrange(1, self._longest) if self.cuts > 0 else None
            for piece in _pieces(client):
                self.sent += len(piece)
                if left is not None and (left := left - len(piece)) < 0:
                    self.cuts -= 1
                    return
                server.sendall(piece)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        for piece in _pieces(source):
            sink.sendall(piece)
    except OSError:
        pass
    finally:
        sink.close()


def _pieces(source: socket.socket) -> Iterator[bytes]:
    try:
        while piece := source.recv(_PIECE):
            yield piece
    except OSError:
        return


@contextmanager
def cutting(target: str, seed: int = 1, cuts: int = 5, longest: int = 400_000) -> Iterator[Cutting]:
    """A proxy before `target`, closed afterwards."""
    proxy = Cutting(target, seed, cuts, longest)
    try:
        yield proxy
    finally:
        proxy.close()
