"""Listens: at TCP and UDP ports that hostile files name, and at a directory that nobody has any business in."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
from pathlib import Path

__all__ = ["SECRET", "SECRET_HZ", "Canary"]

SECRET, SECRET_HZ = "hunter2-of-the-neighbour", 3000
# inotify(7): a file was opened, or read.
_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_EVENT = struct.Struct("iIII")


class Canary:
    """`port` is where it listens, by both protocols, on the loopback; `secret` a file of somebody else, with a sound.

    Use it as a context.
    """

    def __init__(self, directory: Path) -> None:
        self.secret = directory / "secret.wav"

    def __enter__(self) -> Canary:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watched = libc.inotify_add_watch(self._watch, os.fsencode(self.secret.parent), _IN_ACCESS | _IN_OPEN)
        assert watched >= 0, os.strerror(ctypes.get_errno())
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.close()
        self._udp.close()
        os.close(self._watch)

    def heard(self) -> list[str]:
        """What has come since the last time: "tcp", "udp", and the names of files that were opened or read."""
        return [*self._knocks(), *self._opened()]

    def _knocks(self) -> list[str]:
        found = []
        while self._waits(self._tcp):
            self._tcp.accept()[0].close()
            found.append("tcp")
        while self._waits(self._udp):
            self._udp.recv(1)
            found.append("udp")
        return found

    def _opened(self) -> list[str]:
        found = []
        while self._waits(self._watch):
            events = os.read(self._watch, 65536)
            while events:
                length = _EVENT.unpack_from(events)[3]
                found.append(events[_EVENT.size :][:length].rstrip(b"\0").decode())
                events = events[_EVENT.size + length :]
        return found

    @staticmethod
    def _waits(what: socket.socket | int) -> bool:
        return bool(select.select([what], [], [], 0)[0])
