"""Serves one function: `python -m functions.shared.server convert`.

functions-framework builds the app. Its servers are not used: their graceful timeout of 30 s cuts off longer requests
at scale-down. The one here is a single process: an event loop that takes requests in and answers probes, and the
threads in which handlers run (threads.py).
"""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.shared import draining, flask_stand_in, logs, settings, starting, telemetry
from functions.shared.crowd import allow_many
from functions.shared.lingering import Lingering
from functions.shared.protocol import BoundedProtocol
from functions.shared.seldom import Seldom
from functions.shared.settings import SettingError
from functions.shared.starting import CannotStart

__all__ = ["app_of", "main"]

FUNCTIONS = Path(__file__).parents[1]
# For the last traces and metrics, of what a process has left when it is told to stop.
FLUSH_SECONDS = 5.0


def main() -> None:
    """Serve the function named on the command line until SIGTERM; requests in flight are finished."""
    name = _named()
    try:
        settings.check()
        _log(name)
        telemetry.begin(name)
        # What the function needs is declared in its modules.
        app = app_of(name)
        starting.check()
    except (SettingError, CannotStart) as error:
        sys.exit(f"{name} does not start: {error}")
    _serve(app)


def _log(name: str) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(Seldom())
    handler.setFormatter(logs.formatter(settings.text("LOG_FORMAT"), name))
    logging.basicConfig(level=settings.text("LOG_LEVEL"), handlers=[handler])


def app_of(name: str) -> ASGIApp:
    """The ASGI app of a function: the function itself, which answers every path and method, and never raises.

    The framework finds it. What the framework has around it, a router and middleware for errors that it would tell of
    as plain text, takes longer than most refusals.
    """
    flask_stand_in.install()
    from functions_framework.aio import create_asgi_app

    function = inspect.unwrap(create_asgi_app(name, FUNCTIONS / name / "main.py").routes[-1].endpoint)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await function(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def _named() -> str:
    """The name on the command line; without one, the only function there is, as in an image."""
    parser = argparse.ArgumentParser(
        prog="python -m functions.shared.server", description="Serve one function of audiolift."
    )
    names = sorted(path.parent.name for path in FUNCTIONS.glob("*/main.py"))
    parser.add_argument("function", choices=names, nargs="?" if len(names) == 1 else None, default=names[0])
    return str(parser.parse_args().function)


def _serve(app: ASGIApp) -> None:
    allow_many()
    config = uvicorn.Config(
        Lingering(telemetry.observed(app)),
        host=settings.text("HOST"),
        port=settings.number("PORT"),
        http=BoundedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.number("TIMEOUT_SECONDS"),
    )
    # Once all is finished, uvicorn raises the signal that stopped it again. The interpreter's own end would only
    # complain of connections that are kept for the life of the process, and wait for threads that nobody waits for.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    _Server(config).run()


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: Any) -> None:
        draining.begin()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        telemetry.serving()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        began = time.monotonic()
        await super().shutdown(sockets)
        await draining.finished(settings.number("TIMEOUT_SECONDS") - (time.monotonic() - began))
        telemetry.end(FLUSH_SECONDS)


if __name__ == "__main__":
    main()
