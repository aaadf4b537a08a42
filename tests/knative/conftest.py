"""audiolift behind Knative's programs. They are no part of the project: KNATIVE_BIN names a folder that has them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.knative.plane import Plane
from tests.provision import find
from tests.servers import MariaDB, Mongo, RabbitMQ
from tests.system import User

PROGRAMS = ("ingress", "dispatcher", "receive_adapter", "queue-proxy", "kn")


class NotRun(pytest.Module):
    """A module whose tests are skipped all at once, so that one line says it, and says it loudly."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Nothing. Not a failure with CI=true either: nobody can install these programs."""
        pytest.skip(f"NOT RUN: AUDIOLIFT BEHIND KNATIVE'S OWN PROGRAMS. {_lacking()}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """pytest asks this for each file of this folder."""
    return NotRun.from_parent(parent, path=module_path) if _lacking() else None


@pytest.fixture(scope="session")
def binaries() -> Path:
    """The folder of Knative's programs."""
    folder = Path(os.environ["KNATIVE_BIN"]).absolute()
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    assert not missing, f"KNATIVE_BIN is {folder}, which has no {', '.join(missing)}"
    return folder


@pytest.fixture(scope="session")
def plane(
    binaries: Path, mariadb: MariaDB, rabbitmq: RabbitMQ, mongo: Mongo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plane]:
    """All of audiolift, for all tests of this process."""
    with Plane(tmp_path_factory.mktemp("plane"), binaries, mariadb, rabbitmq, mongo) as running:
        yield running


@pytest.fixture
def user(plane: Plane) -> User:
    """Somebody who has registered and signed in by the public name."""
    return plane.user()


def _lacking() -> str:
    """Why they cannot run here, or ""."""
    if not os.environ.get("KNATIVE_BIN"):
        return "KNATIVE_BIN names no folder that has them: see docs/development.md."
    if os.geteuid() != 0 or not all(map(find, ("ip", "unshare", "nsenter"))):
        return "They take root, iproute2 and util-linux."
    return ""
