"""`make stack`, `make demo STACK=1`: audiolift on private MariaDB, RabbitMQ and MongoDB servers of its own.

    python -m knative.local.stack run [ARGUMENTS of python -m knative.local]
    python -m knative.local.stack demo [VIDEO]

Their data is in data/stack and is kept. It uses the servers of the tests: nothing here is for production.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from knative.local import __main__ as runner
from knative.local import demo
from knative.local.errors import StartError
from knative.local.lock import data_directory
from tests.servers import MariaDB, Missing, Mongo, RabbitMQ

__all__ = ["main"]

DATA = Path("data") / "stack"


def main(arguments: Sequence[str]) -> int:
    """Start the servers, then run or demonstrate audiolift on them; the exit status."""
    if not arguments or arguments[0] not in ("run", "demo"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            os.environ.update(_start(stack))
            return _go(*arguments)
    except (Missing, StartError, RuntimeError) as error:
        print(f"audiolift: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _start(stack: ExitStack) -> dict[str, str]:
    """The servers, running. Returns: the settings that lead audiolift to them."""
    directory = stack.enter_context(data_directory(DATA))
    print(f"starting MariaDB, RabbitMQ and MongoDB in {directory} ...", flush=True)
    servers = {
        "DATABASE_URL": MariaDB(directory / "mariadb"),
        "BLOBS_URL": Mongo(directory / "mongo"),
        "RABBITMQ_URL": RabbitMQ(directory / "rabbitmq"),
    }
    return {name: stack.enter_context(server).url for name, server in servers.items()}


def _go(what: str, *arguments: str) -> int:
    if what == "demo":
        return demo.main(arguments)
    sys.argv[1:] = ["--data", str(DATA / "runner"), *arguments]
    runner.main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
