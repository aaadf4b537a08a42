"""The two sockets between a conversion's child and its parent: ranges of the video in, messages out."""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Sequence
from typing import Any

from functions.convert.errors import ProtocolViolation

__all__ = ["MAX_PAYLOAD_BYTES", "MAX_REPLY_BYTES", "RangeClient", "Sender", "message", "take_message", "take_request"]

# The caps of one message, in bytes. What is longer is sent in several.
MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES = 64 * 1024, 4 * 1024 * 1024
# The caps of one request for ranges: how many, and how many bytes all of them have.
MAX_RANGES, MAX_REPLY_BYTES = 4096, 64 * 1024 * 1024

_LENGTH = struct.Struct("!I")
_RANGE = struct.Struct("!QQ")


def message(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """One message as bytes: length and header (JSON), length and payload. Raises: ValueError when it is too long."""
    head = json.dumps(header).encode()
    if len(head) > MAX_HEADER_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a message of {len(head)} and {len(payload)} bytes is too long")
    return b"".join((_LENGTH.pack(len(head)), head, _LENGTH.pack(len(payload)), payload))


def take_message(buffer: bytearray) -> tuple[dict[str, Any], bytes] | None:
    """Take the first message off the buffer, or give None while it is not whole. Raises: ProtocolViolation."""
    head = _part(buffer, 0, MAX_HEADER_BYTES)
    payload = None if head is None else _part(buffer, 4 + len(head), MAX_PAYLOAD_BYTES)
    if head is None or payload is None:
        return None
    del buffer[: 8 + len(head) + len(payload)]
    return _header(head), payload


def take_request(buffer: bytearray, size: int) -> list[tuple[int, int]] | None:
    """Take the first request off the buffer: (start, length) pairs in a file of `size` bytes; None while not whole.

    Raises: ProtocolViolation, also for ranges that reach out of the file, for none at all, and for too many.
    """
    if len(buffer) < _LENGTH.size:
        return None
    (count,) = _LENGTH.unpack_from(buffer)
    end = _LENGTH.size + count * _RANGE.size
    if not 0 < count <= MAX_RANGES:
        raise ProtocolViolation(f"a request for {count} ranges")
    if len(buffer) < end:
        return None
    ranges = list(_RANGE.iter_unpack(bytes(buffer[_LENGTH.size : end])))
    del buffer[:end]
    _check(ranges, size)
    return ranges


class RangeClient:
    """The video as the child sees it: a RangeSource whose bytes the parent sends. Any thread may fetch."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """The bytes of these (start, length) ranges, joined; at most MAX_REPLY_BYTES.

        Raises: EOFError when the parent is gone.
        """
        wanted = sum(length for _, length in ranges)
        if not wanted:
            return b""
        request = [_LENGTH.pack(len(ranges)), *(_RANGE.pack(start, length) for start, length in ranges)]
        with self._lock:
            _write(self._descriptor, b"".join(request))
            return _read(self._descriptor, wanted)


class Sender:
    """Sends the child's messages. Any thread may send; it waits while the parent does not read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def __call__(self, header: dict[str, Any], payload: bytes = b"") -> None:
        """Send one message. Raises: ValueError when it is too long, BrokenPipeError when the parent is gone."""
        whole = message(header, payload)
        with self._lock:
            _write(self._descriptor, whole)


def _part(buffer: bytearray, at: int, most: int) -> bytes | None:
    start = at + _LENGTH.size
    if len(buffer) < start:
        return None
    (length,) = _LENGTH.unpack_from(buffer, at)
    if length > most:
        raise ProtocolViolation(f"a message with a part of {length} bytes")
    if len(buffer) < start + length:
        return None
    # Copied once. While there is a view, the buffer could not be cut.
    with memoryview(buffer) as view:
        return view[start : start + length].tobytes()


def _header(head: bytes) -> dict[str, Any]:
    try:
        header = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation("a header that is no JSON") from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ProtocolViolation("a header that names no kind")
    return header


def _check(ranges: list[tuple[int, int]], size: int) -> None:
    if any(start + length > size for start, length in ranges):
        raise ProtocolViolation("a request for bytes outside of the file")
    if not 0 < sum(length for _, length in ranges) <= MAX_REPLY_BYTES:
        raise ProtocolViolation("a request for too much, or for nothing")


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _read(descriptor: int, length: int) -> bytes:
    pieces: list[bytes] = []
    while length:
        piece = os.read(descriptor, length)
        if not piece:
            raise EOFError("the parent is gone")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
