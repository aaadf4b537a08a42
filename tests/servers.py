"""The real servers that tests and `make stack` run on: MariaDB, RabbitMQ, and a MongoDB or what speaks its protocol.

Each is private: its own directory and port, no service of the machine, no root needed. It dies with the process that
started it. MONGODB_URI names a real mongod to take instead of SecantusDB.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from knative.local import child
from knative.local.process import LOCALHOST
from tests.provision import find

__all__ = ["MariaDB", "Missing", "Mongo", "RabbitMQ", "Server"]

_START_SECONDS = 60
_STOP_SECONDS = 30
_LAUNCHER = Path(child.__file__)
# Longer than any delivery: RabbitMQ before 3.12 knows no timeout for one queue.
_CONSUMER_TIMEOUT = 7 * 24 * 3600 * 1000


class Missing(Exception):
    """A server is not installed here; the message says how to install it."""


class Server(ABC):
    """A server over a directory of its own. Use it as a context manager, or start and stop it as a test likes.

    `url` is what clients connect to. It stays the same when the server is started again.
    """

    _stop_signal = signal.SIGTERM

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = _port()
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
            self._process = _spawn(self._command(), self._environment(), self.directory, log.fileno())
        deadline = time.monotonic() + _START_SECONDS
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


class MariaDB(Server):
    """MariaDB with one empty database, `audiolift`. Each database that a test wants for itself: `create`."""

    def start(self) -> None:
        """See Server; the first start makes the system tables."""
        data = self.directory / "data"
        if not (data / "mysql").exists():
            shutil.rmtree(data, ignore_errors=True)
            _run(
                [
                    _need("mariadb-install-db", "mariadb-server"),
                    f"--datadir={data}",
                    *self._as_me(),
                    "--skip-test-db",
                    *_NORMAL_ROOT,
                ]
            )
        super().start()
        self.create("audiolift")

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return self.url_of("audiolift")

    def url_of(self, database: str) -> str:
        """For SQLAlchemy, of another database."""
        return f"mysql+pymysql://root@{LOCALHOST}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database, unless it is there. Returns: its URL."""
        import pymysql

        with pymysql.connect(host=LOCALHOST, port=self.port, user="root") as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4")
        return self.url_of(database)

    def _command(self) -> Sequence[str]:
        at = f"--bind-address={LOCALHOST}", f"--port={self.port}", f"--socket={self.directory / 'socket'}"
        files = f"--datadir={self.directory / 'data'}", f"--pid-file={self.directory / 'pid'}"
        return [
            _need("mariadbd", "mariadb-server"),
            "--no-defaults",
            *files,
            *at,
            *self._as_me(),
            "--innodb-buffer-pool-size=32M",
        ]

    def _answers(self) -> bool:
        import pymysql

        with suppress(pymysql.Error):
            pymysql.connect(host=LOCALHOST, port=self.port, user="root").close()
            return True
        return False

    @staticmethod
    def _as_me() -> list[str]:
        # As root it refuses to run unless told so; it then needs no other user to own the files.
        return ["--user=root"] if os.geteuid() == 0 else []


class RabbitMQ(Server):
    """RabbitMQ without plugins; user guest."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._ports = _port(), _port()
        self._mapper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """See Server. Erlang's port mapper is started too, which else would outlive it as a daemon."""
        mapper = _need("epmd", "rabbitmq-server")
        self._mapper = _spawn([mapper], self._environment(), self.directory, subprocess.DEVNULL)
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
        return _run(command, self._environment())

    def messages(self) -> dict[str, int]:
        """How many messages each queue has: those that wait, and those that are being delivered."""
        rows = (
            line.rpartition("\t")
            for line in self.ctl("list_queues", "--no-table-headers", "name", "messages").splitlines()
        )
        return {name: int(count) for name, _, count in rows}

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
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
        }

    def _answers(self) -> bool:
        import pika
        from pika.exceptions import AMQPError

        with suppress(AMQPError, OSError):
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
            return True
        return False


class Mongo(Server):
    """SecantusDB, which speaks MongoDB's protocol; or the mongod that MONGODB_URI names, which is only used."""

    _stop_signal = signal.SIGINT  # it hangs at SIGTERM

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._given = os.environ.get("MONGODB_URI", "")

    @property
    def url(self) -> str:
        """For pymongo."""
        return self._given or f"mongodb://{LOCALHOST}:{self.port}/audiolift"

    def start(self) -> None:
        """See Server."""
        if not self._given:
            super().start()

    def _command(self) -> Sequence[str]:
        program = Path(sys.executable).with_name("secantusd-py")
        if not program.exists():
            raise Missing("secantusd-py is missing: it comes with the dev extra (python -m pip install secantusdb)")
        data = self.directory / "data"
        return [str(program), "--host", LOCALHOST, "--port", str(self.port), "--storage-path", str(data)]

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((LOCALHOST, self.port), timeout=1):
            return True
        return False


# What it says about a server that is still starting is not of interest.
logging.getLogger("pika").setLevel(logging.CRITICAL)

_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_NODE = "audiolift@localhost"
_NORMAL_ROOT = ("--auth-root-authentication-method=normal",)


def _port() -> int:
    """A free port that no outgoing connection can get in the meantime, as it could one of the kernel's choice."""
    while True:
        port = random.SystemRandom().randrange(15000, 30000)
        with suppress(OSError), socket.create_server((LOCALHOST, port)):
            return port


def _need(program: str, package: str) -> str:
    path = find(program)
    if not path:
        raise Missing(f"{program} is missing: apt-get install {package}")
    return path


def _spawn(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, log: int
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own; the kernel kills it when this process dies."""
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
    return subprocess.Popen(
        [*launcher, *command],
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
