"""`python -m knative.local [OVERLAY]`: serves an overlay until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sqlite3
import sys
from pathlib import Path

from aiohttp.http_exceptions import HttpProcessingError

from knative.local.errors import LocalError
from knative.local.process import LOCALHOST
from knative.local.runner import DEFAULT_OVERLAY, Local, Options, running

__all__ = ["main"]

_DESCRIPTORS = 65_536


def main() -> None:
    """Exit status: 0 after Ctrl-C or SIGTERM; 1, with one message, when it cannot start."""
    arguments = _arguments()
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("knative.local").setLevel(level)
    logging.getLogger("aiohttp.server").addFilter(_is_news)
    options = Options(arguments.overlay, arguments.data, arguments.host, arguments.port)
    _allow_many_connections()
    try:
        asyncio.run(_serve(options))
    except LocalError as error:
        sys.exit(f"audiolift: {error}")
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"audiolift: {error}. Is the disk full, or {options.data} not yours?")


def _allow_many_connections() -> None:
    # A live stream takes four descriptors here (two hops, both sides), and the usual limit is 1024.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _is_news(record: logging.LogRecord) -> bool:
    # A request that is no HTTP is answered with 400; its sender must not fill the log with stack traces.
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m knative.local", description="Serve audiolift on this machine, as its manifests describe it."
    )
    parser.add_argument("overlay", nargs="?", type=Path, default=DEFAULT_OVERLAY, help="kustomize directory to serve")
    parser.add_argument("--port", type=_port, default=8080, help="port of the gateway (default: 8080; 0: any free one)")
    parser.add_argument("--host", default=LOCALHOST, help=f"address that the gateway listens on (default: {LOCALHOST})")
    parser.add_argument("--data", type=Path, default=Path("data"), help="directory for rows, files and mail (./data)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show each delivery")
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


async def _serve(options: Options) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stop)
    async with running(options) as local:
        _greet(local)
        await stop.wait()
        print("stopping; Ctrl-C again to stop at once", flush=True)


def _stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(130)  # the kernel kills the processes with us
    stop.set()


def _greet(local: Local) -> None:
    mail = local.data / "mail"
    print(f"audiolift is ready at {local.url}\n  data in {local.data}, mail in {mail}\n  Ctrl-C stops it", flush=True)


if __name__ == "__main__":
    main()
