"""Jobs of every kind over the full real stack, while at random moments all of it dies, stands still or is slow.

`python -m tests.chaos.storm --seed 7 --jobs 300`, or `make chaos SEED=7`. A seed repeats the orders, and the faults
one after the other; not their moments. Afterwards the stores, the mails and the MP3s are looked at from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.chaos.mailbox import MailServer
from tests.chaos.orders import Customer, Order, ask
from tests.e2e.inside import children, function_processes
from tests.servers import MariaDB, Mongo, RabbitMQ, Server, programs
from tests.system import Audiolift
from tests.unit.origin import Origin
from tests.unit.receiver import Receiver

__all__ = ["Storm"]

LEASE_SECONDS = 5
# So that what minutes heal in operation is healed in seconds here.
HASTE = {"LEASE_SECONDS": str(LEASE_SECONDS), "RESEND_SECONDS": "5"}
NEAR = {"FETCH_ALLOWED_NETWORKS": "127.0.0.1/32 127.0.0.2/32"}
FUNCTIONS = ("gateway", "login", "upload", "convert", "notify", "download", "sweep")
KINDS = ("plain", "plain", "tus", "url", "event", "batch", "broken", "deleted")
CUSTOMERS, CLIENTS, BATCH = 3, 6, 3


class Storm:
    """The stack, what was ordered, and what was done to it (`log`)."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.log: list[str] = []
        self.orders: list[Order] = []
        # What each customer's webhook got.
        self.hooks: list[Receiver] = []
        self._stack = ExitStack()
        self.mariadb, self.rabbitmq = MariaDB(directory / "mariadb"), RabbitMQ(directory / "rabbitmq")
        self.mongo, self.mail = Mongo(directory / "mongo"), MailServer(directory / "mail")
        self._directory = directory

    def __enter__(self) -> Storm:
        for server in self.servers:
            self._stack.enter_context(server)
        port = programs.port()
        self.customers = [Customer(i, f"http://127.0.0.1:{port}", self._directory) for i in range(CUSTOMERS)]
        self.audiolift = Audiolift(self._directory / "data", self._settings(), ("--port", str(port)))
        self._stack.callback(lambda: self.audiolift.stop())
        for customer in self.customers:
            origin = self._stack.enter_context(Origin(customer.sound.read_bytes(), "127.0.0.2"))
            customer.origin = origin.url
            hook = self._stack.enter_context(Receiver())
            self.hooks.append(hook)
            customer.register(self.mail, hook.url)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    @property
    def servers(self) -> tuple[Server, ...]:
        """What audiolift relies on."""
        return (self.mariadb, self.rabbitmq, self.mongo, self.mail)

    def rage(self, jobs: int, seconds: tuple[float, float] = (0.3, 2.0)) -> None:
        """Order so many jobs, and have one fault after the other, with such a pause, until all are accepted.

        There are faults enough for the conversions, too.
        """
        self.orders = self._ordered(jobs)
        with ThreadPoolExecutor(CLIENTS) as pool:
            asked = [pool.submit(ask, order, self.rabbitmq.url) for order in self.orders]
            # In the main thread: a server dies with the thread that started it.
            while not all(each.done() for each in asked) or len(self.log) < max(6, jobs // 5):
                time.sleep(self.random.uniform(*seconds))
                self._fault()
            _raise(asked)

    def _ordered(self, jobs: int) -> list[Order]:
        orders: list[Order] = []
        while (count := sum(len(order.names) for order in orders)) < jobs:
            kind = self.random.choice(KINDS)
            names = [f"{count + i:04}-{kind}.ogg" for i in range(BATCH if kind == "batch" else 1)]
            orders.append(Order(kind, names, self.random.choice(self.customers)))
        return orders

    def _fault(self) -> None:
        name, fault = self.random.choice(self._faults())
        self.log.append(name)
        print(f"  {name}", flush=True)
        fault()

    def _faults(self) -> list[tuple[str, Callable[[], object]]]:
        chosen, server = self.random.choice(FUNCTIONS), self.random.choice(self.servers)
        each: list[tuple[str, Callable[[], object]]] = [
            (f"kill -9 {chosen}", lambda: self._signal(chosen, signal.SIGKILL)),
            ("kill -9 convert", lambda: self._signal("convert", signal.SIGKILL)),
            ("kill -9 an engine", lambda: self._signal("convert", signal.SIGKILL, depth=2)),
            (f"stop {chosen} for longer than a lease", lambda: self._pause(chosen, LEASE_SECONDS + 2)),
            (f"slow {chosen}", lambda: self._slow(chosen)),
            (f"kill -9 {type(server).__name__}", lambda: self._kill_server(server)),
            (f"freeze {type(server).__name__}", lambda: self._freeze(server)),
            ("kill -9 dispatcher, ingress and source", self._kill_runner),
            ("webhooks refuse", self._refuse),
        ]
        return each

    def _signal(self, name: str, number: signal.Signals, depth: int = 0) -> list[int]:
        level = function_processes(self.audiolift, name)
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
        time.sleep(self.random.uniform(0.5, 3))
        server.start()

    def _freeze(self, server: Server) -> None:
        with server.frozen():
            time.sleep(self.random.uniform(1, LEASE_SECONDS + 2))

    def _refuse(self) -> None:
        for hook in self.hooks:
            hook.status = 503
        time.sleep(self.random.uniform(0.5, 3))
        for hook in self.hooks:
            hook.status = 204

    def _kill_runner(self) -> None:
        self.audiolift.stop(signal.SIGKILL)
        self.audiolift.start()

    def _settings(self) -> dict[str, str]:
        trusted = {customer.source: customer.email for customer in self.customers}
        stores = {
            "DATABASE_URL": self.mariadb.url,
            "BLOBS_URL": self.mongo.url,
            "RABBITMQ_URL": self.rabbitmq.url,
            "SMTP_URL": self.mail.url,
        }
        return {**HASTE, **NEAR, **stores, "TRUSTED_SOURCES": json.dumps(trusted)}


def _raise(asked: list[Future[None]]) -> None:
    for each in asked:
        each.result()


def main() -> int:
    """The command line; the exit status."""
    from tests.chaos.aftermath import Aftermath

    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--jobs", type=int, default=300)
    chosen = parser.parse_args()
    print(f"SEED={chosen.seed}, {chosen.jobs} jobs", flush=True)
    with tempfile.TemporaryDirectory(prefix="storm-") as directory, Storm(Path(directory), chosen.seed) as storm:
        storm.rage(chosen.jobs)
        wrong = Aftermath(storm).look()
    print(f"{len(storm.log)} faults; " + ("all is well" if not wrong else "\n".join(wrong)))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
