"""Fetches a video from a stranger's server by HTTP, and goes on where a connection broke off.

What came is kept if the server can prove that it still has the same file: by a strong validator, in If-Range (RFC 9110,
sections 8.8 and 13.1.5). All else begins anew.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import httpcore

from functions.shared import settings
from functions.shared.addresses import HostUnreachable, check_url, in_ascii
from functions.shared.connections import Guarded, trust
from functions.shared.reasons import Failure

__all__ = ["Destination", "Remote", "TimeUp", "fetch"]

MAX_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 10.0, 20.0
REDIRECTS = (301, 302, 303, 307, 308)
# What may be different in a minute; all other statuses below 500 that bring no file are final (RFC 9110, section 15).
TRANSIENT = (408, 416, 425, 429)
# What a server cannot do today, it cannot do tomorrow.
FINAL = (501, 505)
# A file that is another one each time is fetched in one go, or not at all.
MAX_RESTARTS = 3
# Between tries of one delivery, in seconds, while nothing more comes.
PAUSES = (1.0, 3.0)
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class TimeUp(HostUnreachable):
    """There is no time left in this delivery."""


class Destination(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes) -> None:
        """The next ones."""

    def restart(self) -> None:
        """Forget all that came: the first ones come again."""


@dataclass
class Remote:
    """What is known of the file at a URL: how many of its bytes are here, how many it has, and by what it is known.

    `validator` is a strong ETag, or a Last-Modified that is as good as one; "" for neither. `restarts` counts how often
    it turned out to be another file, or a server that sends all or nothing.
    """

    received: int = 0
    length: int | None = None
    validator: str = ""
    restarts: int = 0
    whole: bool = False

    @property
    def resumable(self) -> bool:
        """Whether it is worth keeping what came."""
        return bool(self.validator) and self.restarts < MAX_RESTARTS

    @property
    def share(self) -> float:
        """How much of it is here, from 0 to 1; 0 while its length is not known."""
        return min(self.received / self.length, 1.0) if self.length else 0.0


def fetch(url: str, remote: Remote, destination: Destination, deadline: float) -> None:
    """Hand the bytes at `url` that are not here yet to `destination`, piece by piece, until `remote` is whole.

    `deadline` is a time of time.monotonic.
    Raises: Failure when they cannot be had for good, HostUnreachable when they may be later, TimeUp at the deadline,
    and what `destination` raises.
    """
    failures = 0
    while not remote.whole:
        before = remote.received
        try:
            _follow(url, remote, destination, deadline)
        except HostUnreachable as error:
            failures = 1 if remote.resumable and remote.received > before else failures + 1
            if isinstance(error, TimeUp) or error.retry_after or failures > len(PAUSES):
                raise
            _pause(PAUSES[failures - 1], deadline)


def _follow(url: str, remote: Remote, destination: Destination, deadline: float) -> None:
    """One try, from the first URL on: what it redirects to may be good for a while only."""
    if remote.received and not remote.resumable:
        _restart(remote, destination)
    with httpcore.ConnectionPool(network_backend=Guarded(deadline), ssl_context=trust()) as pool, _told(deadline):
        for _ in range(MAX_REDIRECTS + 1):
            check_url(url := in_ascii(url))
            location = _get(pool, url, remote, destination)
            if location is None:
                return
            url = urljoin(url, location)
    raise Failure("unreachable")


@contextmanager
def _told(deadline: float) -> Iterator[None]:
    """What went wrong on a connection, in our words."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        if time.monotonic() >= deadline:
            raise TimeUp from error
        if _is_distrusted(error):
            raise Failure("unreachable", "certificate") from error
        raise HostUnreachable(f"the video's server does not answer: {error or type(error).__name__}") from error


def _get(pool: httpcore.ConnectionPool, url: str, remote: Remote, destination: Destination) -> str | None:
    """GET one URL. Returns: where it redirects to, or None when its body has been handed over."""
    timeouts = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": CONNECT_SECONDS}
    with pool.stream("GET", url, headers=_asked(url, remote), extensions={"timeout": timeouts}) as response:
        answered = {name.lower().decode(): value.decode("latin-1") for name, value in response.headers}
        if response.status in REDIRECTS and "location" in answered:
            return in_ascii(answered["location"].encode("latin-1"))
        _check_status(response.status, answered, remote)
        if answered.get("content-encoding", "identity").lower() != "identity":
            raise Failure("unreachable", "encoded")
        if response.status == 206:
            _go_on(answered, remote, destination)
        else:
            _begin(answered, remote, destination)
        _pass_on(response, remote, destination)
        return None


def _asked(url: str, remote: Remote) -> list[tuple[str, str]]:
    headers = [("Host", urlsplit(url).netloc), ("Accept", "video/*, audio/*, */*"), ("Accept-Encoding", "identity")]
    if remote.received:
        headers += [("Range", f"bytes={remote.received}-"), ("If-Range", remote.validator)]
    return headers


def _check_status(status: int, answered: Mapping[str, str], remote: Remote) -> None:
    if status == 200 or (status == 206 and remote.received):
        return
    if status in TRANSIENT or (status >= 500 and status not in FINAL):
        if status == 416:
            # All is here, by our count, and not by its own.
            remote.validator = ""
        raise HostUnreachable(f"the video's server answered {status}", _retry_after(answered))
    raise Failure("unreachable")


def _retry_after(answered: Mapping[str, str]) -> float:
    """The seconds to wait, said as such or by a date (RFC 9110, section 10.2.3); 0 for nothing that makes sense."""
    said = answered.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _begin(answered: Mapping[str, str], remote: Remote, destination: Destination) -> None:
    """All of the file comes, whether or not some of it is here."""
    if remote.received:
        _restart(remote, destination)
    remote.validator = _validator(answered)
    remote.length = int(answered["content-length"]) if "content-length" in answered else None
    if (remote.length or 0) > settings.number("MAX_UPLOAD_BYTES"):
        raise Failure("too-large-video")


def _go_on(answered: Mapping[str, str], remote: Remote, destination: Destination) -> None:
    """The rest of the file comes. Raises: HostUnreachable when it is the rest of something else."""
    found = _RANGE.fullmatch(answered.get("content-range", ""))
    total = int(found[2]) if found and found[2] != "*" else remote.length
    same = answered.get("etag", remote.validator) == remote.validator or not remote.validator.startswith('"')
    if not found or int(found[1]) != remote.received or total != (remote.length or total) or not same:
        _restart(remote, destination)
        raise HostUnreachable("the video's server sends another range than was asked for, or of another file")
    remote.length = total


def _restart(remote: Remote, destination: Destination) -> None:
    destination.restart()
    remote.received, remote.length, remote.validator = 0, None, ""
    remote.restarts += 1


def _pass_on(response: httpcore.Response, remote: Remote, destination: Destination) -> None:
    for piece in response.iter_stream():
        if remote.received + len(piece) > settings.number("MAX_UPLOAD_BYTES"):
            raise Failure("too-large-video")
        remote.received += len(piece)
        destination.write(piece)
    if remote.length is not None and remote.received != remote.length:
        # A server may send less of a range than was asked for. More of it is none of this file.
        if remote.received > remote.length:
            _restart(remote, destination)
        raise HostUnreachable("the video's server sent another number of bytes than it said")
    remote.whole = True


def _validator(answered: Mapping[str, str]) -> str:
    """What proves that a file is the same to the byte, or "" (RFC 9110, sections 8.8.1 and 8.8.2.2)."""
    etag, modified = answered.get("etag", ""), answered.get("last-modified", "")
    if etag:
        return etag if etag.startswith('"') else ""
    try:
        older = parsedate_to_datetime(answered.get("date", "")) - parsedate_to_datetime(modified)
    except (TypeError, ValueError):
        return ""
    return modified if older.total_seconds() >= 1 else ""


def _pause(seconds: float, deadline: float) -> None:
    if time.monotonic() + seconds >= deadline:
        raise TimeUp
    time.sleep(seconds)


def _is_distrusted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
