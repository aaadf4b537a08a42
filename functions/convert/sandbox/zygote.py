"""The warm process that conversions are forked from: it has imported all that they need, and parses nothing itself."""

from __future__ import annotations

import gc
import json
import os
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn, Protocol

from functions.convert.errors import Unconfined
from functions.convert.guard import die_with_parent, limit
from functions.convert.sandbox.channel import RangeClient, Sender, take_message
from functions.convert.sandbox.confine import confine
from functions.shared.reasons import Failure

__all__ = ["MAX_PACKET_BYTES", "MAX_WORDS_LENGTH", "OUT_OF_MEMORY", "Entry", "main"]

# The control socket is the zygote's standard input. A packet with two descriptors is a job: its `limits`, and whether
# confinement is `required`. One without asks how the job ended; the end of the stream ends everything.
CONTROL, MAX_PACKET_BYTES = 0, 64 * 1024
# The exit statuses of a child that failed: by any exception, and by the one for which the file may not be to blame.
RAISED, OUT_OF_MEMORY = 1, 77
MAX_WORDS_LENGTH = 4000
THREADS_SECONDS = 2.0


class Entry(Protocol):
    """What a child runs: it reads the source, does the job, and sends the results."""

    def __call__(self, source: RangeClient, job: dict[str, Any], send: Sender) -> None: ...


def main(entry: str) -> None:
    """Import `entry` ("module:function"), and fork a child for each job until the parent closes the control socket.

    The module's `warm()`, if it has one, runs first: what is otherwise loaded on first use, a child cannot load.
    """
    control = socket.socket(fileno=CONTROL)
    try:
        run = _loaded(entry)
    except BaseException:
        control.send(_packet({"error": traceback.format_exc()[-MAX_WORDS_LENGTH:]}))
        raise
    # What is alive now stays alive: collecting it would copy the pages that children share.
    gc.collect()
    gc.freeze()
    child = 0
    for packet, descriptors in _packets(control):
        if descriptors:
            child = _forked(run, json.loads(packet), descriptors)
        else:
            control.send(_packet(_ending(child)))


def _loaded(entry: str) -> Entry:
    name, _, function = entry.partition(":")
    module = import_module(name)
    getattr(module, "warm", lambda: None)()
    _await_threads()
    run: Entry = getattr(module, function)
    return run


def _await_threads() -> None:
    """A fork lacks the other threads, but has the locks that they held. A joined thread may need a moment to end."""
    ends = time.monotonic() + THREADS_SECONDS
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() > ends:
            raise RuntimeError("a thread still runs after the entry was imported and warmed")
        time.sleep(0.001)


def _packets(control: socket.socket) -> Iterator[tuple[bytes, list[int]]]:
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, MAX_PACKET_BYTES, 2)
        if not packet:
            return
        yield packet, descriptors


def _packet(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def _forked(run: Entry, confinement: dict[str, Any], descriptors: list[int]) -> int:
    zygote = os.getpid()
    child = os.fork()
    if child == 0:
        _child(run, confinement, descriptors, zygote)
    for descriptor in descriptors:
        os.close(descriptor)
    return child


def _ending(child: int) -> dict[str, Any]:
    _, status, usage = os.wait4(child, 0)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def _child(run: Entry, confinement: dict[str, Any], descriptors: list[int], zygote: int) -> NoReturn:
    status = RAISED
    try:
        die_with_parent()
        # The zygote may have died before that.
        if os.getppid() == zygote:
            status = _job(run, confinement, *_only(descriptors))
    finally:
        os._exit(status)


def _only(descriptors: list[int]) -> tuple[int, int]:
    """Close everything but these two, which become 3 and 4; 0, 1 and 2 lead nowhere."""
    ranges, messages = (os.dup(descriptor) for descriptor in descriptors)
    os.dup2(1, CONTROL)
    os.dup2(ranges, 3)
    os.dup2(messages, 4)
    os.closerange(5, 1024)
    return 3, 4


def _job(run: Entry, confinement: dict[str, Any], ranges: int, messages: int) -> int:
    send = Sender(messages)
    try:
        limit(confinement["limits"])
        with suppress(*(() if confinement["required"] else (Unconfined,))):
            confine()
        size, job = _order(messages)
        run(RangeClient(ranges, size), job, send)
    except Failure as failure:
        send({"kind": "failed", "code": failure.code, "hint": failure.hint})
    except MemoryError:
        return OUT_OF_MEMORY
    except BaseException:
        send({"kind": "raised", "words": traceback.format_exc()[-MAX_WORDS_LENGTH:]})
        return RAISED
    return 0


def _order(messages: int) -> tuple[int, dict[str, Any]]:
    buffer = bytearray()
    while (order := take_message(buffer)) is None:
        piece = os.read(messages, MAX_PACKET_BYTES)
        if not piece:
            raise EOFError("the parent is gone")
        buffer += piece
    header, job = order
    return header["size"], json.loads(job)
