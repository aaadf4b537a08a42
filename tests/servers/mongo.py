"""MongoDB, or what speaks its protocol."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from knative.local.process import LOCALHOST
from tests.servers.programs import Missing
from tests.servers.server import Server

__all__ = ["Mongo"]


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
