"""An SMTP server: aiosmtpd's, without its controller.

That wants a port beforehand, which somebody else may have by then, waits for five seconds at most until it answers, and
leaves connections open at its end.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, ClassVar

from aiosmtpd.smtp import SMTP

from tests.servers.looping import InLoop

__all__ = ["SmtpServer"]


class SmtpServer(InLoop):
    """Hands what comes to its own methods `handle_DATA` and the like, as aiosmtpd calls them. `options` are of SMTP."""

    kind: ClassVar[type[SMTP]] = SMTP

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, **options: Any) -> None:
        self._ssl, self._options = ssl_context, options
        self._made: list[SMTP] = []

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._make, self.address, 0, ssl=self._ssl)

    def _make(self) -> SMTP:
        self._made.append(self.kind(self, loop=self._loop, enable_SMTPUTF8=True, **self._options))
        return self._made[-1]

    async def _stop(self) -> None:
        await super()._stop()
        for transport in [each.transport for each in self._made]:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        await self._turn()
