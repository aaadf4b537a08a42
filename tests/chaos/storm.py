"""Jobs of every kind over the full real stack, while at random moments all of it dies, stands still or is slow.

`python -m tests.chaos.storm --seed 7 --jobs 300`, or `make chaos SEED=7`. A seed repeats the orders, and the faults
one after the other; not their moments. Afterwards the stores, the mails and the MP3s are looked at from outside.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.disks import Disk
from tests.chaos.faults import Faults
from tests.chaos.lines import Line
from tests.chaos.mailbox import MailServer
from tests.chaos.orders import Customer, Order, ask
from tests.servers import MariaDB, Mongo, RabbitMQ, Server, programs
from tests.system import Audiolift
from tests.unit.origin import Origin
from tests.unit.receiver import Receiver

__all__ = ["CHAT", "Storm"]

LEASE_SECONDS = 5
# So that what minutes heal in operation is healed in seconds here.
HASTE = {"LEASE_SECONDS": str(LEASE_SECONDS), "RESEND_SECONDS": "5"}
NEAR = {"FETCH_ALLOWED_NETWORKS": "127.0.0.1/32 127.0.0.2/32"}
KINDS = ("plain", "plain", "tus", "url", "event", "batch", "broken", "deleted")
CUSTOMERS, CLIENTS, BATCH = 3, 6, 3
# The name of each customer's own chat, with their number.
CHAT = "chat{}"


class Storm:
    """The stack, what was ordered, and what was done to it (`faults.log`)."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.orders: list[Order] = []
        # What each customer's webhook got, and their chats and telephones.
        self.hooks: list[Receiver] = []
        self.chats: list[Receiver] = []
        self.telephones = Receiver()
        self._seed, self._stack, self._directory = seed, ExitStack(), directory

    def __enter__(self) -> Storm:
        with self._stack:
            self._begin()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def rage(self, jobs: int, seconds: tuple[float, float] = (0.3, 2.0)) -> None:
        """Order so many jobs, and have one fault after the other, with such a pause, until all are accepted.

        There are faults enough for the conversions, too.
        """
        self.orders = self._ordered(jobs)
        with ThreadPoolExecutor(CLIENTS) as pool:
            asked = [pool.submit(ask, order, self._broker) for order in self.orders]
            # In the main thread: a server dies with the thread that started it.
            while not all(each.done() for each in asked) or len(self.faults.log) < max(6, jobs // 5):
                time.sleep(self.random.uniform(*seconds))
                self.faults.one()
            _raise(asked)

    def _begin(self) -> None:
        disks = [self._disk(name) for name in ("mariadb", "rabbitmq", "mongo", "mail", "data")]
        self.mariadb, self.rabbitmq = MariaDB(self._at("mariadb")), RabbitMQ(self._at("rabbitmq"))
        self.mongo, self.mail = Mongo(self._at("mongo")), MailServer(self._at("mail"))
        servers: tuple[Server, ...] = (self.mariadb, self.rabbitmq, self.mongo, self.mail)
        for server in servers:
            self._stack.enter_context(server)
        port = programs.port()
        lines = [self._line(type(server).__name__, server.port) for server in servers]
        lines.append(self._line("the gateway", port))
        url = f"http://127.0.0.1:{lines[-1].port}"
        self.customers = [Customer(i, url, self._directory) for i in range(CUSTOMERS)]
        receivers = self._receivers()
        settings = self._settings(*(line.leads(server.url) for line, server in zip(lines, servers, strict=False)))
        self.audiolift = Audiolift(self._at("data"), settings, ("--port", str(port)))
        self._stack.callback(lambda: self.audiolift.stop())
        self._broker = lines[1].leads(self.rabbitmq.url)
        origins = [self._arrive(customer) for customer in self.customers]
        around = (servers, lines, disks, origins, receivers)
        self.faults = Faults(self.audiolift, self.random, *around, LEASE_SECONDS)

    def _at(self, name: str) -> Path:
        return self._directory / name

    def _disk(self, name: str) -> Disk:
        return self._stack.enter_context(Disk("the functions" if name == "data" else name, self._at(name)))

    def _line(self, name: str, port: int) -> Line:
        return self._stack.enter_context(Line(name, port, self._seed))

    def _receivers(self) -> list[Receiver]:
        self.hooks = [Receiver() for _ in self.customers]
        self.chats = [Receiver() for _ in self.customers]
        receivers = [*self.hooks, *self.chats, self.telephones]
        for receiver in receivers:
            # As apprise likes it.
            receiver.status = 200
            self._stack.enter_context(receiver)
        return receivers

    def _arrive(self, customer: Customer) -> Origin:
        """A customer registers. Returns: what serves their sound."""
        origin = self._stack.enter_context(Origin(customer.sound.read_bytes(), "127.0.0.2"))
        customer.origin = origin.url
        customer.register(self.mail, self.hooks[customer.number].url)
        customer.choose(self.telephones, CHAT.format(customer.number))
        return origin

    def _ordered(self, jobs: int) -> list[Order]:
        orders: list[Order] = []
        while (count := sum(len(order.names) for order in orders)) < jobs:
            kind = self.random.choice(KINDS)
            names = [f"{count + i:04}-{kind}.ogg" for i in range(BATCH if kind == "batch" else 1)]
            orders.append(Order(kind, names, self.random.choice(self.customers)))
        return orders

    def _settings(self, database: str, broker: str, blobs: str, mail: str) -> dict[str, str]:
        trusted = {customer.source: customer.email for customer in self.customers}
        chats = {CHAT.format(i): f"json://127.0.0.1:{chat.server_port}/" for i, chat in enumerate(self.chats)}
        sms = f"json://127.0.0.1:{self.telephones.server_port}/{{number}}"
        told = {"SMTP_URL": mail, "NOTICE_SERVICES": json.dumps(chats), "SMS_SERVICE": sms}
        # Else the driver asks the server where it is, and goes there by another way than the line.
        direct = f"{blobs}{'&' if '?' in blobs else '?'}directConnection=true"
        stores = {"DATABASE_URL": database, "BLOBS_URL": direct, "RABBITMQ_URL": broker}
        return {**HASTE, **NEAR, **stores, **told, "TRUSTED_SOURCES": json.dumps(trusted)}


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
        began = time.monotonic()
        storm.rage(chosen.jobs)
        over = time.monotonic()
        wrong = Aftermath(storm).look()
        print(f"{len(storm.faults.log)} faults in {over - began:.0f} s, over {time.monotonic() - over:.0f} s later")
    print("all is well" if not wrong else "\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
