"""Starting programs that servers are made of."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from knative.local import child
from knative.local.process import LOCALHOST
from tests.provision import find

__all__ = ["Missing", "need", "port", "run", "spawn"]

_LAUNCHER = Path(child.__file__)
# Whoever got one may not listen there yet, or may have stopped for a while.
_given: set[int] = set()


class Missing(Exception):
    """A server is not installed here; the message says how to install it."""


def port() -> int:
    """A free port that no outgoing connection can get in the meantime, as it could one of the kernel's choice.

    None is given twice.
    """
    while True:
        port = random.SystemRandom().randrange(15000, 30000)
        with suppress(OSError), socket.create_server((LOCALHOST, port)):
            if port not in _given:
                _given.add(port)
                return port


def need(program: str, package: str) -> str:
    """The path of a program. Raises: Missing with the package to install."""
    path = find(program)
    if not path:
        raise Missing(f"{program} is missing: apt-get install {package}")
    return path


def spawn(command: Sequence[str], environment: Mapping[str, str], directory: Path, log: int) -> subprocess.Popen[bytes]:
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


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints. Raises: RuntimeError with it when the command fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
