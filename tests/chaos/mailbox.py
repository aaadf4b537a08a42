"""An SMTP server in a process of its own, which can be killed: `python -m tests.chaos.mailbox PORT FILE`.

It says that it has a mail once a line about it, a JSON object, is on the disk.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from knative.local.process import LOCALHOST
from tests.patience import PATIENCE
from tests.servers import Server
from tests.system import ROOT

__all__ = ["MailServer"]


class MailServer(Server):
    """The server; `mails` are what it took, in order."""

    @property
    def url(self) -> str:
        """For SMTP_URL."""
        return f"smtp://{LOCALHOST}:{self.port}"

    @property
    def mails(self) -> list[dict[str, str]]:
        """To whom, about what, under which Message-ID, with what text."""
        with suppress(FileNotFoundError):
            return [json.loads(line) for line in (self.directory / "mails").read_text().splitlines()]
        return []

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.chaos.mailbox", str(self.port), str(self.directory / "mails")]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((LOCALHOST, self.port), timeout=1):
            return True
        return False


class _Keeper:
    def __init__(self, path: str) -> None:
        self._file = open(path, "a", encoding="utf-8")

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail: Any = message_from_bytes(envelope.content, policy=policy.default)
        about = {"to": str(mail["To"]), "subject": str(mail["Subject"]), "id": str(mail["Message-ID"])}
        about["text"] = str(mail.get_body(("plain",)).get_content())
        self._file.write(json.dumps(about) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return "250 OK"


def main() -> None:
    """The command line."""
    port, path = sys.argv[1:]
    Controller(_Keeper(path), hostname=LOCALHOST, port=int(port), ready_timeout=PATIENCE).start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
