"""MariaDB."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from knative.local.process import LOCALHOST
from tests.servers.programs import need, run
from tests.servers.server import Server

__all__ = ["MariaDB"]

_NORMAL_ROOT = ("--auth-root-authentication-method=normal",)


class MariaDB(Server):
    """MariaDB with one empty database, `audiolift`. Each database that a test wants for itself: `create`."""

    def start(self) -> None:
        """See Server; the first start makes the system tables."""
        data = self.directory / "data"
        self._temporary.mkdir(parents=True, exist_ok=True)
        if not (data / "mysql").exists():
            shutil.rmtree(data, ignore_errors=True)
            run(
                [
                    need("mariadb-install-db", "mariadb-server"),
                    f"--datadir={data}",
                    *self._as_me(),
                    "--skip-test-db",
                    *_NORMAL_ROOT,
                ],
                {**os.environ, "TMPDIR": str(self._temporary)},
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
            need("mariadbd", "mariadb-server"),
            "--no-defaults",
            *files,
            *at,
            *self._as_me(),
            f"--tmpdir={self._temporary}",
            "--innodb-buffer-pool-size=32M",
        ]

    def _answers(self) -> bool:
        import pymysql

        with suppress(pymysql.Error):
            pymysql.connect(host=LOCALHOST, port=self.port, user="root").close()
            return True
        return False

    @property
    def _temporary(self) -> Path:
        # Its own: each server that starts deletes the temporary tables of all others in its directory.
        return self.directory / "tmp"

    @staticmethod
    def _as_me() -> list[str]:
        # As root it refuses to run unless told so; it then needs no other user to own the files.
        return ["--user=root"] if os.geteuid() == 0 else []
