"""What goes wrong in a storm: one fault after the other, as a seed says, at random moments."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from tests.chaos.disks import Disk
from tests.chaos.lines import Line
from tests.e2e.inside import children, function_processes
from tests.servers import RabbitMQ, Server
from tests.system import Audiolift
from tests.unit.origin import Origin
from tests.unit.receiver import Receiver

__all__ = ["FUNCTIONS", "Faults"]

STARTS = 4
FUNCTIONS = ("gateway", "login", "upload", "convert", "notify", "download", "sweep")


class Faults:
    """Does one thing after the other to a stack; `log` says what. `lease_seconds` is how long its leases are."""

    def __init__(
        self,
        audiolift: Audiolift,
        chance: random.Random,
        servers: Sequence[Server],
        lines: Sequence[Line],
        disks: Sequence[Disk],
        origins: Sequence[Origin],
        receivers: Sequence[Receiver],
        lease_seconds: int,
    ) -> None:
        self.log: list[str] = []
        self._began = time.monotonic()
        self._audiolift, self._random, self._lease_seconds = audiolift, chance, lease_seconds
        self._servers, self._lines, self._disks = servers, lines, disks
        self._origins, self._receivers = origins, receivers

    def one(self) -> None:
        """The next one; returns once it is over."""
        name, fault = self._random.choice(self._all())
        self.log.append(name)
        print(f"{time.monotonic() - self._began:6.1f} s  {name}", flush=True)
        fault()

    def _all(self) -> list[tuple[str, Callable[[], object]]]:
        chosen, server = self._random.choice(FUNCTIONS), self._random.choice(self._servers)
        line, disk = self._random.choice(self._lines), self._random.choice(self._disks)
        named, room = type(server).__name__, "" if disk.is_there else " (not here: it takes root)"
        each: list[tuple[str, Callable[[], object]]] = [
            (f"kill -9 {chosen}", lambda: self._signal(chosen, signal.SIGKILL)),
            ("kill -9 convert", lambda: self._signal("convert", signal.SIGKILL)),
            ("kill -9 an engine", lambda: self._signal("convert", signal.SIGKILL, depth=2)),
            (f"stop {chosen} for longer than a lease", lambda: self._pause(chosen, self._lease_seconds + 2)),
            (f"slow {chosen}", lambda: self._slow(chosen)),
            (f"kill -9 {named}", lambda: self._kill_server(server)),
            (f"freeze {named}", lambda: self._during(server.frozen(), self._lease_seconds + 2)),
            ("kill -9 dispatcher, ingress and source", self._kill_runner),
            (f"cut off connections to {line.name}", lambda: self._during(line.cutting(), 3)),
            (f"slow connections to {line.name}", lambda: self._during(line.slow(), 5)),
            (f"fill the disk of {disk.name}{room}", lambda: self._fill(disk)),
            ("webhooks, chats and SMS are refused", self._refuse),
            ("origins break off", self._break_off),
        ]
        return each

    def _signal(self, name: str, number: signal.Signals, depth: int = 0) -> list[int]:
        level = function_processes(self._audiolift, name)
        for _ in range(depth):
            level = [child for process in level for child in children(process)]
        for process in level[:1]:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        return level[:1]

    def _pause(self, name: str, seconds: float) -> None:
        stopped = self._signal(name, signal.SIGSTOP)
        time.sleep(seconds if stopped else 0)
        for process in stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    def _slow(self, name: str) -> None:
        for _ in range(20):
            self._pause(name, 0.1)
            time.sleep(0.02)

    def _kill_server(self, server: Server) -> None:
        server.kill()
        time.sleep(self._random.uniform(0.5, 3))
        server.start()

    def _during(self, fault: AbstractContextManager[None], most_seconds: float) -> None:
        with fault:
            time.sleep(self._random.uniform(1, most_seconds))

    def _fill(self, disk: Disk) -> None:
        seconds = self._random.uniform(1, self._lease_seconds + 2)
        if not disk.is_there:
            return
        with disk.full():
            time.sleep(seconds)
        # As whoever runs it has it started again, once there is room.
        for server in self._servers:
            if not server.is_alive:
                print(f"          {type(server).__name__} has died of it", flush=True)
                server.kill()
                server.start()
                if isinstance(server, RabbitMQ):
                    # By then it has tried to open its queues.
                    time.sleep(2)
                    print(f"          it cannot open {server.delete_broken()}", flush=True)

    def _refuse(self) -> None:
        usual = [receiver.status for receiver in self._receivers]
        for receiver in self._receivers:
            receiver.status = 503
        time.sleep(self._random.uniform(0.5, 3))
        for receiver, status in zip(self._receivers, usual, strict=True):
            receiver.status = status

    def _break_off(self) -> None:
        for origin in self._origins:
            origin.cut(self._random.randrange(len(origin.content)))

    def _kill_runner(self) -> None:
        self._audiolift.stop(signal.SIGKILL)
        # It begins with the migration: where the database is not there for it, Knative tries that Job again.
        for _ in range(STARTS - 1):
            with suppress(AssertionError):
                return self._audiolift.start()
        return self._audiolift.start()
