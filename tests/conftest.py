"""What all tests share: one audiolift and one of each real server per test process, started by the first that asks."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from tests import media
from tests.servers import MariaDB, Missing, Mongo, OidcProvider, RabbitMQ, Server
from tests.system import Audiolift, User

# An example may take as long as a busy machine needs for it.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

# A shell has what it starts in the background ignore Ctrl-C, and all that is started from there: tests send it to some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

AnyServer = TypeVar("AnyServer", bound=Server)


@pytest.fixture(scope="session")
def audiolift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """audiolift on one machine, with its defaults."""
    running = Audiolift(tmp_path_factory.mktemp("audiolift") / "data")
    yield running
    running.stop()


@pytest.fixture
def user(audiolift: Audiolift) -> User:
    """Somebody who has just registered and signed in."""
    return audiolift.user()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound video."""
    return media.make(tmp_path_factory.mktemp("media") / "mp4-aac.mp4")


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of silence: small to upload, and many seconds of work to convert."""
    minute, path = tmp_path_factory.mktemp("media") / "minute.flac", tmp_path_factory.mktemp("media") / "long.mka"
    quiet = [media.ffmpeg(), "-v", "error", "-nostdin"]
    subprocess.run([*quiet, "-f", "lavfi", "-i", "anullsrc=d=60", str(minute)], check=True)
    subprocess.run([*quiet, "-stream_loop", "119", "-i", str(minute), "-c", "copy", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB for all tests of this process."""
    yield from _serve(MariaDB(tmp_path_factory.mktemp("mariadb")))


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A RabbitMQ for all tests of this process."""
    yield from _serve(RabbitMQ(tmp_path_factory.mktemp("rabbitmq")))


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongo]:
    """A MongoDB, or what speaks its protocol, for all tests of this process."""
    yield from _serve(Mongo(tmp_path_factory.mktemp("mongo")))


@pytest.fixture(scope="module")
def by_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Audiolift, OidcProvider]]:
    """audiolift, and an OpenID provider that people may sign in to it by."""
    provider = OidcProvider(tmp_path_factory.mktemp("oidc"))
    settings = {"OIDC_ISSUER": provider.url, "OIDC_CLIENT_ID": provider.CLIENT, "OIDC_CLIENT_SECRET": provider.SECRET}
    running = Audiolift(tmp_path_factory.mktemp("audiolift") / "data", settings)
    provider.home = f"{running.url}/"
    yield from ((running, each) for each in _serve(provider))
    running.stop()


@pytest.fixture
def oidc(tmp_path: Path) -> Iterator[OidcProvider]:
    """An OpenID provider for one test, which may stop it, and change its keys."""
    yield from _serve(OidcProvider(tmp_path / "oidc"))


def _serve(server: AnyServer) -> Iterator[AnyServer]:
    try:
        server.start()
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    yield server
    server.stop()
