"""Sign-in by the identity provider of a deployment: by any device with a browser, or by the browser of this machine."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import monotonic, sleep
from urllib.parse import parse_qsl, urlsplit

import httpx

from . import calls
from .client import Audiolift
from .errors import Refused, SignInNeeded
from .models import OidcDevice, OidcStart, Token
from .showing import printable

__all__ = ["sign_in"]

# RFC 8628, section 3.5.
SLOWER_SECONDS = 5
# So long somebody may take to sign in with a browser of this machine.
BROWSER_SECONDS = 600
HERE = "127.0.0.1"

Tell = Callable[[str], object]


def sign_in(client: Audiolift, tell: Tell, port: int = 0) -> Token:
    """Have somebody sign in, who is told by `tell` what to do. Returns: audiolift's tokens.

    By any device (RFC 8628) where the provider offers that; else by this machine's browser, which comes back to `port`
    of 127.0.0.1, any free one if it is 0 (RFC 8252). Raises: SignInNeeded when nobody does; else as Audiolift.do.
    """
    if client.do(calls.provider()).issuer is None:
        raise SignInNeeded(404, "not-found", "No identity provider is set up there. Sign in by password.")
    try:
        begun = client.do(calls.begin_by_device())
    except Refused as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise
        return _by_browser(client, tell, port)
    return _by_device(client, begun, tell)


def _by_device(client: Audiolift, begun: OidcDevice, tell: Tell) -> Token:
    tell(f"Go to {printable(begun.verification_uri)} with any browser, and enter {printable(begun.user_code)}")
    if begun.verification_uri_complete:
        tell(f"or go to {printable(begun.verification_uri_complete)}")
    pause, ends = max(begun.interval, 1), monotonic() + begun.expires_in
    while monotonic() + pause < ends:
        sleep(pause)
        answer = client.do(calls.finish_by_device(begun.device_code))
        if isinstance(answer, Token):
            return answer
        pause += SLOWER_SECONDS * answer.slow_down
    raise SignInNeeded(401, "unauthorized", "Nobody has entered the code in time.")


def _by_browser(client: Audiolift, tell: Tell, port: int) -> Token:
    with _Comeback(port) as comeback:
        started = client.do(calls.begin_by_browser(comeback.server_port))
        tell(f"Sign in with your browser; if it does not open, go to {printable(started.authorization_url)}")
        # Of the browser, nothing but an address is expected: whatever else its launcher would do, nobody asked for.
        if urlsplit(started.authorization_url).scheme in ("https", "http"):
            webbrowser.open(started.authorization_url)
        back = comeback.wait(started)
        return client.do_once(calls.finish_by_browser(started, comeback.server_port, back["code"], back.get("iss")))


class _Comeback(HTTPServer):
    """Where the browser comes back to. It answers everything with a page, and takes what has the right state."""

    def __init__(self, port: int) -> None:
        super().__init__((HERE, port), _Handler)
        self.came: dict[str, str] = {}
        self.timeout = 1

    def wait(self, started: OidcStart) -> dict[str, str]:
        """What the browser has come back with. Raises: SignInNeeded."""
        ends = monotonic() + BROWSER_SECONDS
        while not secrets.compare_digest(self.came.get("state", "").encode(), started.state.encode()):
            if monotonic() > ends:
                raise SignInNeeded(401, "unauthorized", "Nobody has signed in in time.")
            self.came = {}
            self.handle_request()
        if "code" not in self.came:
            said = printable(self.came.get("error", "no code"))[:100]
            raise SignInNeeded(401, "unauthorized", f"The identity provider has refused: {said}.")
        return self.came


class _Handler(BaseHTTPRequestHandler):
    server: _Comeback
    # Who connects and says nothing does not keep others out for long.
    timeout = 5

    def do_GET(self) -> None:
        """RFC 6749, section 4.1.2."""
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if path == "/":
            self.server.came = dict(parse_qsl(query))
        said = b"You can close this page and go back to the terminal.\n" if path == "/" else b""
        self.send_response(200 if path == "/" else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Not on the user's terminal: addresses have codes in them."""
