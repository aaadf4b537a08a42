"""One process of a function: started on a free port, its output shown, stopped for good."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from knative.local.secrets import ROOT
from knative.supervision import supervised

__all__ = ["LOCALHOST", "Process", "free_port", "spawn"]

log = logging.getLogger(__name__)

LOCALHOST = "127.0.0.1"
_LAUNCHER = Path(__file__).with_name("child.py")
_REMEMBERED_LINES = 15
_MAX_LINE_BYTES = 64 * 1024
# What a hostile file name in a log line must not send to somebody's terminal.
_CONTROLS = dict.fromkeys([*range(9), *range(10, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def free_port() -> int:
    """A TCP port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def spawn(name: str, command: Sequence[str], env: Mapping[str, str]) -> Process:
    """Start a command in a session of its own; `python` means the interpreter that runs this.

    It dies with the thread that calls this (prctl(2), PR_SET_PDEATHSIG): call it in the main thread.
    """
    program = [sys.executable if command[0] == "python" else command[0], *command[1:]]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *program),
        cwd=ROOT,
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=_MAX_LINE_BYTES,
    )
    return Process(name, child, int(env.get("PORT", 0)))


class Process:
    """A running process, listening at `port` and `url`. `exited` is done, with its exit status, when it has died."""

    def __init__(self, name: str, child: asyncio.subprocess.Process, port: int) -> None:
        self.name = name
        self.pid = child.pid
        self.port = port
        self.url = f"http://{LOCALHOST}:{port}"
        self.exited = asyncio.create_task(child.wait())
        self._child = child
        self._lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        # Supervised: a process whose output nobody reads stands still as soon as the pipe is full.
        self._output = asyncio.create_task(supervised(f"{name}: the output of process {child.pid}", self._show_output))

    @property
    def last_lines(self) -> str:
        """The end of what the process printed, indented, for a message about its death."""
        return "".join(f"\n    {line}" for line in self._lines)

    async def how_it_ended(self) -> str:
        """In words, for a process that has exited, with the end of what it printed."""
        # A grandchild that left the session may hold the pipe: its words are not waited for.
        await asyncio.wait({self._output}, timeout=1)
        status = self.exited.result()
        how = f"exit status {status}" if status >= 0 else f"killed by {_signal(-status)}"
        return f"{how}{self.last_lines}"

    async def stop(self, seconds: float) -> None:
        """SIGTERM, which lets what is in flight finish; after `seconds` SIGKILL to it and all its children."""
        with suppress(ProcessLookupError):
            self._child.terminate()
        try:
            await asyncio.wait({self.exited}, timeout=seconds)
        finally:
            self.kill()
        await self.exited
        # A grandchild that left the session may hold the pipe: what it prints is of no interest any more.
        await asyncio.wait({self._output}, timeout=1)
        self._output.cancel()

    def kill(self) -> None:
        """SIGKILL, at once, to the process and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _show_output(self) -> None:
        assert self._child.stdout is not None
        while line := await self._line(self._child.stdout):
            text = line.decode(errors="replace").rstrip("\n").translate(_CONTROLS)
            self._lines.append(text)
            log.info("%s: %s", self.name, text)

    async def _line(self, output: asyncio.StreamReader) -> bytes:
        try:
            return await output.readline()
        except ValueError:  # longer than the limit; the reader has thrown it away
            return b"(a line too long to show)\n"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"
