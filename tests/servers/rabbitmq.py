"""RabbitMQ."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from knative.local.process import LOCALHOST
from tests.servers.programs import Missing, need, port, run, spawn
from tests.servers.server import Server

__all__ = ["RabbitMQ"]

# Longer than any delivery: RabbitMQ before 3.12 knows no timeout for one queue.
_CONSUMER_TIMEOUT = 7 * 24 * 3600 * 1000
_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_NODE = "audiolift@localhost"

# What it says about a server that is still starting is not of interest.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class RabbitMQ(Server):
    """RabbitMQ without plugins; user guest."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._ports = port(), port()
        self._mapper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """See Server. Erlang's port mapper is started too, which else would outlive it as a daemon."""
        mapper = need("epmd", "rabbitmq-server")
        self._mapper = spawn([mapper], self._environment(), self.directory, subprocess.DEVNULL)
        super().start()

    def _end(self, number: signal.Signals) -> None:
        super()._end(number)
        if self._mapper:
            self._mapper.kill()
            self._mapper.wait()

    @property
    def url(self) -> str:
        """AMQP."""
        return f"amqp://guest:guest@{LOCALHOST}:{self.port}/%2F"

    def ctl(self, *arguments: str) -> str:
        """What rabbitmqctl prints."""
        command = [str(_SCRIPTS / "rabbitmqctl"), "--quiet", "--node", _NODE, *arguments]
        return run(command, self._environment())

    def messages(self) -> dict[str, int]:
        """How many messages each queue has: those that wait, and those that are being delivered."""
        rows = (
            line.rpartition("\t")
            for line in self.ctl("list_queues", "--no-table-headers", "name", "messages").splitlines()
        )
        return {name: int(count) for name, _, count in rows}

    def delete_broken(self) -> list[str]:
        """Delete the queues that it cannot open (docs/runbooks.md, "the outbox is old"). Returns: their names."""
        states = self.ctl("list_queues", "--no-table-headers", "name", "state")
        rows = (line.rpartition("\t") for line in states.splitlines())
        broken = [name for name, _, state in rows if state == "down"]
        for name in broken:
            self.ctl("delete_queue", name)
        return broken

    def _command(self) -> Sequence[str]:
        if not (_SCRIPTS / "rabbitmq-server").exists():
            raise Missing("rabbitmq-server is missing: apt-get install rabbitmq-server")
        (self.directory / "plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = {LOCALHOST}:{self.port}\nconsumer_timeout = {_CONSUMER_TIMEOUT}\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.relative = 0.6\n"
        )
        # Not the wrapper in /usr/sbin, which changes the user.
        return [str(_SCRIPTS / "rabbitmq-server")]

    def _environment(self) -> Mapping[str, str]:
        directory = self.directory
        return {
            **super()._environment(),
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_DIST_PORT": str(self._ports[0]),
            "ERL_EPMD_PORT": str(self._ports[1]),
            "ERL_EPMD_ADDRESS": LOCALHOST,
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_MNESIA_DIR": str(directory / "mnesia" / "node"),
            "RABBITMQ_LOG_BASE": str(directory / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            # Its script then becomes the server, which so gets the kernel's signal when we die.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _answers(self) -> bool:
        import pika
        from pika.exceptions import AMQPError

        with suppress(AMQPError, OSError):
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
            return True
        return False
