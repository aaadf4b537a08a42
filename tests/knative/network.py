"""A network of pods on this machine: each has a network namespace and an address of its own, joined by a bridge.

queue-proxy and the receive adapter listen on fixed ports at every address: without it there could be but one of
each. Needs root and iproute2. Nothing of it can be reached from outside the machine.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.inside import tree
from tests.patience import PATIENCE, eventually
from tests.servers.programs import run, spawn

__all__ = ["Network", "Pod", "Program"]

# Run in the new namespaces, which end with its process: nothing is left over, however the tests end.
_POD = """set -e
mount --bind "$1" /etc/hosts
ip link set lo up
ip link add eth0 type veth peer name "$2" netns "$3"
nsenter --net --target "$3" ip link set "$2" master "$4" up
ip addr add "$5/24" dev eth0
ip link set eth0 up
echo up
exec sleep infinity
"""
_INSIDE = ("nsenter", "--net", "--mount")


class Network:
    """The bridge, and who has which address. `machine` is that of the tests themselves. Use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.hosts = directory / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")
        self.bridge = f"al{secrets.token_hex(4)}"
        self._prefix = _unused_prefix()
        self._given = 1
        self.machine = f"{self._prefix}.1"

    def __enter__(self) -> Network:
        run(["ip", "link", "add", self.bridge, "type", "bridge"])
        run(["ip", "addr", "add", f"{self.machine}/24", "dev", self.bridge])
        run(["ip", "link", "set", self.bridge, "up"])
        return self

    def __exit__(self, *_: object) -> None:
        run(["ip", "link", "delete", self.bridge])

    def name(self, host: str, address: str) -> None:
        """Make a host name known to all pods."""
        with self.hosts.open("a") as file:
            file.write(f"{address} {host}\n")

    def address(self) -> str:
        """One that nobody has yet."""
        self._given += 1
        return f"{self._prefix}.{self._given}"

    def own_address(self) -> str:
        """One more address of the machine itself."""
        added = self.address()
        run(["ip", "addr", "add", f"{added}/24", "dev", self.bridge])
        return added


class Pod:
    """A network namespace with an address, in which programs are started."""

    def __init__(self, network: Network, name: str, address: str | None = None) -> None:
        self.name, self.network = name, network
        self.address = address or network.address()
        cable = f"v{secrets.token_hex(4)}"
        script = ["sh", "-c", _POD, "pod", str(network.hosts), cable, str(os.getpid()), network.bridge, self.address]
        reader, writer = os.pipe()
        with os.fdopen(reader) as output:
            try:
                self._holder = spawn(["unshare", "--net", "--mount", *script], os.environ, network.directory, writer)
            finally:
                os.close(writer)
            said = output.readline()
        assert said == "up\n", f"the pod {name} has no network: {said}"
        self._programs: list[Program] = []

    def program(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Program:
        """A program that is started in here."""
        self._programs.append(Program(self, name, command, environment))
        self._programs[-1].start()
        return self._programs[-1]

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a command in here."""
        return [*_INSIDE, "--target", str(self._holder.pid), *command]

    def connections(self, port: int) -> int:
        """How many connections it has to a port elsewhere (proc(5), net/tcp: addresses in hexadecimal, state 01)."""
        lines = Path(f"/proc/{self._holder.pid}/net/tcp").read_text().splitlines()[1:]
        return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)

    def delete(self) -> None:
        """Kill what is in it, and take it away."""
        for program in self._programs:
            program.kill()
        self._holder.kill()
        self._holder.wait()


class Program:
    """A program in a pod. What it prints goes to a file `log`."""

    def __init__(self, pod: Pod, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._pod, self._command, self._environment = pod, command, environment
        self.log = pod.network.directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """That of its pod."""
        return self._pod.address

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as log:
            inside = self._pod.inside(*self._command)
            self._process = spawn(inside, self._environment, self._pod.network.directory, log.fileno())

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its first process alone, as a kubelet does."""
        assert self._process
        self._process.send_signal(number)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still, as on a machine that swaps."""
        self._signal_all(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9, to it and to all that it started."""
        self._signal_all(signal.SIGKILL)
        self.wait()

    def wait(self, patience: float = PATIENCE) -> None:
        """Wait until it has ended."""
        assert self._process
        self._process.wait(patience)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def says(self, text: str) -> None:
        """Wait until it has printed this."""
        eventually(lambda: text in self.log.read_text(errors="replace"), f"{self.name} says {text!r}")

    def _signal_all(self, number: signal.Signals) -> None:
        # The number of one that has ended may be another's by now.
        for pid in tree(self.pid) if self.running() else ():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _unused_prefix() -> str:
    """The first three numbers of a private network that this machine does not know yet."""
    known = run(["ip", "-4", "-oneline", "address"]) + run(["ip", "-4", "route"])
    while True:
        prefix = f"10.{random.randrange(200, 255)}.{random.randrange(1, 255)}"
        if prefix + "." not in known:
            return prefix
