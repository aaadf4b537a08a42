"""A warm process, and the parent's side of the jobs that its children run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from functions.convert.conversion.source import RangeSource
from functions.convert.errors import NoWorker, ProtocolViolation, TimedOut
from functions.convert.sandbox import cores, policy
from functions.convert.sandbox.attend import OnMessage, attend
from functions.convert.sandbox.channel import message
from functions.convert.sandbox.zygote import MAX_PACKET_BYTES, MAX_WORDS_LENGTH, OUT_OF_MEMORY

__all__ = ["Ended", "Worker"]

# What one conversion gets: address space, and more of it for each thread's stack and arena; and how much of it may be
# data, which must fit into the memory of the container together with the function itself.
MAX_MEMORY_BYTES, THREAD_BYTES = 2 * 1024**3, 128 * 1024**2
MAX_DATA_BYTES = 1536 * 1024**2
# Standard input, output and error, and the two sockets: there is no number left for another.
MAX_OPEN_FILES = 5
# A child that has closed its sockets has ended, or is up to no good.
GRACE_SECONDS = 5.0

# Of mallopt(3): memory of a segment's size is used again instead of being asked for anew from the kernel.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(1024**3)}
_START = "import sys; sys.path[:] = sys.argv[2:]; from functions.convert.sandbox.zygote import main; main(sys.argv[1])"


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status, negative for the signal that killed it (as subprocess has it).

    `words` say what went wrong where the status does not; `peak_bytes` is the largest resident memory.
    """

    status: int
    words: str = ""
    timed_out: bool = False
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def well(self) -> bool:
        """Whether the entry came to its end."""
        return self.status == 0

    @property
    def out_of_memory(self) -> bool:
        """Whether it wanted more memory than it may have. The kernel's own killer shows as signal 9."""
        return self.status == OUT_OF_MEMORY

    @property
    def out_of_cpu(self) -> bool:
        """Whether it used up the processor time that all cores could give it until the deadline."""
        return self.status == -signal.SIGXCPU


class Worker:
    """A warm process that runs one job at a time in a child."""

    def __init__(self, entry: str) -> None:
        self._control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inner:
            try:
                self._process = _started(entry, inner)
            except OSError as error:
                self._control.close()
                raise NoWorker(str(error)) from error

    @property
    def alive(self) -> bool:
        """Whether it can run another job."""
        return self._process.poll() is None

    def run(
        self,
        job: dict[str, Any],
        source: RangeSource,
        on_message: OnMessage,
        tick: Callable[[], None],
        deadline: float,
    ) -> Ended:
        """Run the entry in a child on `source`, at the latest until `deadline` (monotonic seconds).

        `on_message` gets the header and the payload of each message; `tick` is called every TICK_SECONDS (attend.py).
        What they and `source` raise goes through, and so does NoWorker; then, when the time is up, and when the child
        sends what it must not (on_message raises ProtocolViolation), this worker and its child are killed first.
        """
        receive = _Receiver(on_message)
        try:
            self._attended(job, source, receive, tick, deadline)
            ending = self._ending()
        except TimedOut:
            self.kill()
            return Ended(-signal.SIGKILL, "killed at the deadline", timed_out=True)
        except ProtocolViolation as violation:
            self.kill()
            return Ended(-signal.SIGKILL, f"killed: {violation}")
        except BaseException:
            self.kill()
            raise
        return Ended(words=receive.words, **ending)

    def kill(self) -> None:
        """Kill the process and its child at once."""
        self._control.close()
        # They are one process group, which lasts at least until the process is waited for.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def forget(self) -> None:
        """Let go of it in a copy of the process that started it."""
        self._control.close()
        self._process.returncode = 0

    def _attended(
        self, job: dict[str, Any], source: RangeSource, receive: OnMessage, tick: Callable[[], None], deadline: float
    ) -> None:
        order = message({"kind": "job", "size": source.size}, json.dumps(job).encode())
        with ExitStack() as stack:
            (ranges, its_ranges), (messages, its_messages) = socket.socketpair(), socket.socketpair()
            for end in (ranges, messages):
                stack.enter_context(end)
            with its_ranges, its_messages:
                self._fork({"limits": _limits(deadline), "required": policy.is_required()}, its_ranges, its_messages)
            messages.settimeout(max(0.1, deadline - time.monotonic()))
            # Why a child does not even take its order shows in how it ends.
            with suppress(ConnectionError, TimeoutError):
                messages.sendall(order)
            attend(ranges, messages, source, receive, tick, deadline)

    def _fork(self, confinement: dict[str, Any], *ends: socket.socket) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(confinement).encode()], [end.fileno() for end in ends])
        except ConnectionError:
            raise NoWorker(self._control_reply()["error"]) from None

    def _ending(self) -> dict[str, Any]:
        self._control.settimeout(GRACE_SECONDS)
        try:
            self._control.send(b"?")
            ending = self._control_reply()
        except TimeoutError:
            raise ProtocolViolation("silence: it has closed its sockets, and still runs") from None
        except ConnectionError:
            ending = self._control_reply()
        if "status" not in ending:
            raise NoWorker(ending["error"])
        return ending

    def _control_reply(self) -> dict[str, Any]:
        # A socket reports first that the other side is gone, and only then what that side had sent before.
        for _ in range(2):
            with suppress(ConnectionError):
                packet = self._control.recv(MAX_PACKET_BYTES)
                if packet:
                    return dict(json.loads(packet))
        return {"error": "the process that conversions are forked from has died"}


def _started(entry: str, control: socket.socket) -> subprocess.Popen[bytes]:
    # The directory is gone when the process has started in it: there is nothing in it, and nothing can be made.
    with tempfile.TemporaryDirectory(prefix="zygote-") as directory:
        return subprocess.Popen(
            # An empty path is the current directory, which is another one there.
            [sys.executable, "-I", "-S", "-c", _START, entry, *map(os.path.abspath, sys.path)],
            cwd=directory,
            env=_MALLOC,
            stdin=control.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


class _Receiver:
    """Keeps the last words of a child that failed, and passes on all else."""

    def __init__(self, on_message: OnMessage) -> None:
        self.words = ""
        self._on_message = on_message

    def __call__(self, header: dict[str, Any], payload: bytes) -> None:
        if header["kind"] == "raised":
            words = header.get("words")
            if not isinstance(words, str) or len(words) > MAX_WORDS_LENGTH:
                raise ProtocolViolation("last words that are none, or too long")
            self.words = words
        else:
            self._on_message(header, payload)


def _limits(deadline: float) -> dict[str, int]:
    """Of the processes of a user there is no limit: it would count those of the server too, and a child makes none."""
    count = cores.available()
    return {
        # A quota may be a part of a core more; the clock is what ends most.
        "RLIMIT_CPU": max(1, int(deadline - time.monotonic())) * (count + 1),
        "RLIMIT_AS": MAX_MEMORY_BYTES + count * THREAD_BYTES,
        "RLIMIT_DATA": MAX_DATA_BYTES,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": MAX_OPEN_FILES,
        "RLIMIT_CORE": 0,
    }
