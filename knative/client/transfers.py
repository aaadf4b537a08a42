"""Files to audiolift and back: both go on where they were broken off, as long as patience lasts.

The upload speaks the protocol tus 1.0.0 (https://tus.io/protocols/resumable-upload) by the same HTTP client as all
else, so that tokens are renewed in the middle and a file is sent in one request, whatever its size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import httpx

from . import calls
from .client import Audiolift, passes, pause
from .errors import AudioliftError, Refused, SignInNeeded

__all__ = ["Share", "download", "send"]

# What is told while bytes move: how many there are already.
Share = Callable[[int], object]
PIECE = 256 * 1024


def send(client: Audiolift, upload_id: str, path: Path, seen: Share = lambda _sent: None) -> None:
    """Send what is still missing of an upload. Raises: Refused, SignInNeeded, Unreachable."""
    size = path.stat().st_size
    attempt = _Patience(client.patience)
    while (offset := client.do(calls.upload_offset(upload_id))) < size:
        attempt.further(offset)
        seen(offset)
        try:
            with path.open("rb") as file:
                client.do_once(calls.append(upload_id, offset, _pieces(file, offset, seen)))
        except AudioliftError as error:
            attempt.failed(error)
    seen(size)


def download(client: Audiolift, job_id: str, into: Path, seen: Share = lambda _came: None) -> None:
    """Get the MP3 of a job; `into` is there once it is whole. Raises: Refused, SignInNeeded, Unreachable, OSError."""
    attempt = _Patience(client.patience)
    part = into.with_name(f".{into.name}.part")
    part.unlink(missing_ok=True)
    etag: str | None = None
    while True:
        came = part.stat().st_size if part.exists() else 0
        attempt.further(came)
        try:
            with client.stream(calls.audio(job_id, came, etag)) as answer:
                etag = answer.headers.get("ETag")
                _write(answer, part, seen)
        except AudioliftError as error:
            attempt.failed(error)
        else:
            part.replace(into)
            return


def _write(answer: httpx.Response, part: Path, seen: Share) -> None:
    goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
    with part.open("ab" if goes_on else "wb") as file:
        for piece in answer.iter_bytes(PIECE):
            file.write(piece)
            seen(file.tell())


def _pieces(file: BinaryIO, offset: int, seen: Share) -> Iterator[bytes]:
    file.seek(offset)
    while piece := file.read(PIECE):
        yield piece
        offset += len(piece)
        seen(offset)


class _Patience:
    """Counts tries, and the time, since the last one that got any further."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._offset = seconds, -1
        self._start, self._tries = time.monotonic(), 0

    def further(self, offset: int) -> None:
        if offset > self._offset:
            self._offset, self._start, self._tries = offset, time.monotonic(), 0

    def failed(self, error: Exception) -> None:
        """Wait for the next try. Raises: `error` when it is final, or patience is at its end."""
        # 401: a token ran out, and is renewed for the next try. 409, 423: an older request still holds the upload.
        again = passes(error) or (isinstance(error, Refused) and error.status in (409, 423))
        is_first = isinstance(error, SignInNeeded) and not self._tries
        self._tries += 1
        seconds = pause(error, self._tries)
        if not (again or is_first) or time.monotonic() + seconds - self._start > self._seconds:
            raise error
        time.sleep(seconds)
