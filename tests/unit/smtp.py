"""An SMTP server that tests send mails to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from types import TracebackType
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from functions.shared import smtp
from tests.servers.mailing import SmtpServer

__all__ = ["Server"]


class Scripted(SMTP):
    """What a server says before anything is asked (GREETING), and when a mail is announced (BEFORE)."""

    async def push(self, status: Any) -> None:
        said = status.decode() if isinstance(status, bytes) else status
        answers = self.event_handler.answers
        if self.session is not None and self.session.host_name is None and said.startswith("220 "):
            status = answers.get("GREETING", said)
        if said.startswith("354 "):
            status = answers.get("BEFORE", said)
        await super().push(status)

    async def smtp_EHLO(self, hostname: str) -> None:
        self.event_handler.connections += 1
        await super().smtp_EHLO(hostname)


class Server(SmtpServer):
    """An SMTP server; `answers` overrides its reply to a command, `got` is what it accepted.

    `seconds` is how long it thinks about a mail; `seen` is what came whole, `connections` how often somebody said EHLO.
    With the answer CLOSE it hangs up instead of saying what it thinks of the mail.
    """

    kind = Scripted

    def __init__(self, **options: Any) -> None:
        super().__init__(authenticator=self._login, **options)
        self.answers: dict[str, str] = {}
        self.seconds = 0.0
        self.got: list[Envelope] = []
        self.seen: list[Envelope] = []
        self.connections = 0
        self._going = asyncio.Event()
        self._going.set()
        # Seconds that it takes at a step, and the steps that were reached.
        self.pauses: dict[str, float] = {}
        self.reached: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []
        # What is done before anybody looks at the mails.
        self.before_a_look: Callable[[], None] = lambda: None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        smtp.leave_all()
        super().__exit__(kind, error, traceback)

    @property
    def place(self) -> str:
        """Its host, by the name in the certificate, and its port."""
        return f"localhost:{self.port}"

    def hang(self) -> None:
        """Say nothing to any mail."""
        self._loop.call_soon_threadsafe(self._going.clear)

    def go_on(self) -> None:
        """Say what is to be said to them."""
        self._loop.call_soon_threadsafe(self._going.set)

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await self._pause("RCPT")
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.seen.append(envelope)
        await self._pause("DATA")
        await asyncio.sleep(self.seconds)
        await self._going.wait()
        if self.answers.get("DATA") == "CLOSE" and server.transport:
            server.transport.close()
        if "DATA" not in self.answers:
            self.got.append(envelope)
        return self.answers.get("DATA", "250 OK")

    async def _pause(self, step: str) -> None:
        self.reached.append(step)
        await asyncio.sleep(self.pauses.get(step, 0))

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        return self.answers.get("QUIT", "221 Bye")

    def _login(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"s3cret/@", handled=False)

    def mails(self, to: str = "") -> list[tuple[str, str]]:
        """Subject and text of what was accepted, for one recipient if one is named."""
        self.before_a_look()
        found = [each for each in self.got if not to or each.rcpt_tos == [to]]
        read: list[Any] = [message_from_bytes(each.content, policy=policy.default) for each in found]  # type: ignore[arg-type]
        return [(mail["Subject"], mail.get_body(("plain",)).get_content()) for mail in read]

    def token(self, to: str) -> str:
        """What the newest link that was mailed there ends with."""
        found: list[str] = re.findall(r"/(?:verify|reset)/([\w-]+)", self.mails(to)[-1][1])
        return found[-1]
