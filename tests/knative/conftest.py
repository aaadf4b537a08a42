"""audiolift behind Knative's programs. They are no part of the project: KNATIVE_BIN names a folder that has them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.knative.plane import Plane
from tests.servers import MariaDB, Mongo, RabbitMQ

PROGRAMS = ("ingress", "dispatcher", "receive_adapter", "queue-proxy", "kn")


def _skip(reason: str) -> None:
    # Also with CI=true: nobody can install these.
    pytest.skip(f"NOT RUN: AUDIOLIFT BEHIND KNATIVE'S OWN PROGRAMS. {reason} See docs/development.md.")


@pytest.fixture(scope="session")
def binaries() -> Path:
    """The folder of Knative's programs."""
    folder = Path(os.environ.get("KNATIVE_BIN") or os.devnull)
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if not os.environ.get("KNATIVE_BIN"):
        _skip("KNATIVE_BIN names no folder that has them.")
    assert not missing, f"KNATIVE_BIN is {folder}, which has no {', '.join(missing)}"
    return folder


@pytest.fixture(scope="session")
def root(binaries: Path) -> None:
    """What it takes to give each pod a network of its own."""
    missing = [name for name in ("ip", "unshare", "nsenter") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        _skip("It takes root, iproute2 and util-linux.")


@pytest.fixture(scope="session")
def plane(
    binaries: Path,
    root: None,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Plane]:
    """All of audiolift, for all tests of this process."""
    mariadb: MariaDB = request.getfixturevalue("mariadb")
    rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
    mongo: Mongo = request.getfixturevalue("mongo")
    with Plane(tmp_path_factory.mktemp("plane"), binaries.absolute(), mariadb, rabbitmq, mongo) as running:
        yield running
