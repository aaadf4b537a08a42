"""The command that migrates, and a database that is not there yet: a real MariaDB."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.patience import PATIENCE
from tests.servers import MariaDB
from tests.system import ROOT


@contextmanager
def migrating(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "functions.shared.migrate"]
    environment = {**os.environ, "DATABASE_URL": url}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_waits_for_a_database_that_does_not_answer_yet(mariadb: MariaDB) -> None:
    url = mariadb.create("test_migrate")
    with migrating(url) as process:
        with mariadb.frozen():
            assert process.stderr
            assert process.stderr.readline().startswith("waiting for the database: ")
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize("wrong", ["nobody:secret", "root:secret"])
def test_what_the_database_refuses_is_told_at_once_and_without_the_password(mariadb: MariaDB, wrong: str) -> None:
    with migrating(mariadb.url.replace("root@", f"{wrong}@")) as process:
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert told.startswith("audiolift: the database does not answer: ")
    assert told.count("\n") == 1
    assert "secret" not in told
