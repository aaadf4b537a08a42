"""What all servers have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE
from tests.servers.programs import port, spawn

__all__ = ["Server"]

_STOP_SECONDS = 30


class Server(ABC):
    """A server over a directory of its own. Use it as a context manager, or start and stop it as a test likes.

    `url` is what clients connect to. It stays the same when the server is started again.
    """

    _stop_signal = signal.SIGTERM

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    @abstractmethod
    def url(self) -> str:
        """The address, with user and password."""

    def start(self) -> None:
        """Start it, and wait until it answers. Raises: RuntimeError with the end of its log."""
        with (self.directory / "log").open("ab") as log:
            self._process = spawn(self._command(), self._environment(), self.directory, log.fileno())
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{type(self).__name__} does not start:\n{self._log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as its operator would, and wait."""
        self._end(self._stop_signal)

    def kill(self) -> None:
        """Kill it and all it started, as a power cut would."""
        self._end(signal.SIGKILL)

    @property
    def is_alive(self) -> bool:
        """Whether it was started, and has not died by itself."""
        return self._process is not None and self._process.poll() is None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """During the block it keeps its connections, takes new ones, and answers nothing: it hangs."""
        assert self._process
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(self.directory)}

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-2000:]
