"""Serves one function: `python -m functions.shared.server convert`.

functions-framework builds the app. Its servers are not used: their graceful timeout of 30 s cuts off longer requests
at scale-down.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import functions_framework
from flask import Flask

from functions.shared import settings
from functions.shared.lingering import WSGIApp, lingering_wsgi

__all__ = ["main"]

FUNCTIONS = Path(__file__).parents[1]
# Settings that have no default, by the functions that cannot work without them.
NEEDED = {
    "gateway": ("JWKS",),
    "login": ("SIGNING_KEY", "JWKS"),
    "upload": ("JWKS",),
    "notify": ("JWKS", "LINK_SECRET"),
    "download": ("JWKS", "LINK_SECRET"),
}
PR_SET_PDEATHSIG = 1
# What the broker's ingress and the queue-proxy let through (Go's net/http: 1 MiB for all headers), and what is added on
# the way. A server that refuses it does so by a 4xx of its own, on which the dispatcher drops the event.
MAX_HEAD_BYTES = 2 * 1024 * 1024
MAX_HEADERS = 32_768


def main() -> None:
    """Serve the function named on the command line until SIGTERM; requests in flight are finished."""
    name = _named()
    try:
        settings.check(*NEEDED.get(name, ()))
        logging.basicConfig(level=settings.text("LOG_LEVEL"), format="%(levelname)s %(message)s")
    except ValueError as error:
        sys.exit(f"{name} does not start: {error}")
    app = functions_framework.create_app(name, FUNCTIONS / name / "main.py")
    (_serve_wsgi if isinstance(app, Flask) else _serve_asgi)(app)


def _named() -> str:
    """The name on the command line; without one, the only function there is, as in an image."""
    parser = argparse.ArgumentParser(
        prog="python -m functions.shared.server", description="Serve one function of audiolift."
    )
    names = sorted(path.parent.name for path in FUNCTIONS.glob("*/main.py"))
    parser.add_argument("function", choices=names, nargs="?" if len(names) == 1 else None, default=names[0])
    return str(parser.parse_args().function)


def _serve_wsgi(app: Flask) -> None:
    from gunicorn.app.base import BaseApplication

    # The framework's hook would read a refused 3 GB upload into memory before answering 413.
    app.after_request_funcs[None].remove(functions_framework.read_request)
    options = {
        "bind": f"{settings.text('HOST')}:{settings.number('PORT')}",
        "worker_class": "functions.shared.probed.ProbedWorker",
        # One more than the requests: one whose client is gone may still be at its end when the next one comes.
        "threads": settings.number("CONCURRENCY") + 1,
        "timeout": 0,
        "graceful_timeout": settings.number("TIMEOUT_SECONDS"),
        "keepalive": 75,
        "limit_request_fields": MAX_HEADERS,
        "limit_request_field_size": MAX_HEAD_BYTES,
        "control_socket_disable": True,
        "loglevel": "warning",
        "post_fork": _die_with_parent,
    }

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for option, value in options.items():
                self.cfg.set(option, value)

        def load(self) -> WSGIApp:
            return lingering_wsgi(app)

    _limit_heads()
    Application().run()


def _limit_heads() -> None:
    """Have gunicorn refuse heads of more than MAX_HEAD_BYTES; its own bound is the product of its two limits."""
    from gunicorn.http.message import Request
    from gunicorn.http.parser import RequestParser

    class BoundedRequest(Request):  # type: ignore[misc]
        def parse(self, unreader: Any) -> bytes:
            self.max_buffer_headers = MAX_HEAD_BYTES
            unused: bytes = super().parse(unreader)
            return unused

    RequestParser.mesg_class = BoundedRequest


def _serve_asgi(app: Any) -> None:
    import uvicorn

    from functions.shared import draining
    from functions.shared.lingering_asgi import LingeringASGI

    # Every path and method is for the function to answer, /robots.txt and a line break in a path too: the framework
    # knows no problem details.
    app.router.default = app.router.routes[-1].app
    app.router.routes.clear()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            draining.begin()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        LingeringASGI(app),
        host=settings.text("HOST"),
        port=settings.number("PORT"),
        http="httptools",
        loop="uvloop",
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.number("TIMEOUT_SECONDS"),
    )
    # Once all is finished, uvicorn raises the signal that stopped it again. The interpreter's own end would only
    # complain of connections that are kept for the life of the process.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    Server(config).run()


def _die_with_parent(_server: Any, _worker: Any) -> None:
    # A master that is killed must not leave a worker that converts on, unseen by anybody.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
