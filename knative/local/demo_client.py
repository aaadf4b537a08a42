"""What a person's program would say to audiolift: register, log in, upload, watch, read mail, download."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from functions.shared.jobs.states import ENDED

__all__ = ["ApiRefused", "Client", "Job"]

Job = dict[str, Any]

RECONNECT_SECONDS = 0.5
MAIL_SECONDS = 60
PIECE = 256 * 1024


class ApiRefused(Exception):
    """audiolift answered with a problem; the message is its title and detail."""


class Client:
    """One person's conversation with audiolift, whose address the session knows. Every method may raise ApiRefused."""

    def __init__(self, session: aiohttp.ClientSession, email: str, password: str) -> None:
        self._session = session
        self._email, self._password = email, password
        self._token, self._good_until = "", 0.0

    async def register(self) -> None:
        """Open the account."""
        account = {"email": self._email, "password": self._password}
        async with self._session.post("/v1/users", json=account) as response:
            await _check(response)

    async def log_in(self) -> None:
        """Get an access token; the other methods come back for a new one when it is about to run out."""
        form = {"grant_type": "password", "username": self._email, "password": self._password}
        async with self._session.post("/v1/token", data=form) as response:
            await _check(response)
            granted = await response.json()
        self._token = granted["access_token"]
        self._good_until = time.monotonic() + granted["expires_in"] / 2

    async def upload(self, video: Path) -> Job:
        """Stream the video up; the job that converts it."""
        kind = mimetypes.guess_type(video.name)[0] or "application/octet-stream"
        headers = {**await self._headers(), "Content-Type": kind}
        with video.open("rb") as file:
            # A video that is refused (too large, say) is not sent at all.
            sending = self._session.post(
                "/v1/jobs", params={"filename": video.name}, data=file, headers=headers, expect100=True
            )
            async with sending as response:
                await _check(response)
                return dict(await response.json())

    async def follow(self, job: Job) -> AsyncIterator[Job]:
        """The job each time it changes, the last time in its final state."""
        while True:
            async with self._session.get(job["links"]["events"], headers=await self._headers()) as response:
                await _check(response)
                async for job in _jobs_in(response):
                    yield job
            if job["state"] in ENDED:
                return
            await asyncio.sleep(RECONNECT_SECONDS)

    async def mail(self) -> dict[str, str] | None:
        """The newest mail to this person, or None when none came within a minute."""
        deadline = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            async with self._session.get("/v1/me/mail", headers=await self._headers()) as response:
                await _check(response)
                items = (await response.json())["items"]
            if items:
                return dict(max(items, key=lambda item: item["sent_at"]))
            await asyncio.sleep(0.1)
        return None

    async def download(self, job: Job, file: BinaryIO) -> None:
        """Write the finished job's MP3 into an open file."""
        async with self._session.get(job["links"]["audio"], headers=await self._headers()) as response:
            await _check(response)
            async for piece in response.content.iter_chunked(PIECE):
                file.write(piece)

    async def delete(self, job: Job) -> None:
        """Delete the job with its video and its MP3."""
        async with self._session.delete(job["links"]["self"], headers=await self._headers()) as response:
            await _check(response)

    async def _headers(self) -> dict[str, str]:
        if time.monotonic() > self._good_until:
            await self.log_in()
        return {"Authorization": f"Bearer {self._token}"}


async def _jobs_in(response: aiohttp.ClientResponse) -> AsyncIterator[Job]:
    """The jobs that a stream of server-sent events tells of, up to the final state or the stream's end."""
    async for line in response.content:
        if line.startswith(b"data:"):
            job = json.loads(line.removeprefix(b"data:"))
            yield job
            if job["state"] in ENDED:
                return


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise ApiRefused for an error, with what its problem details say (RFC 9457)."""
    if response.status < 400:
        return
    try:
        problem = await response.json(content_type=None)
        reason = " ".join(problem[name] for name in ("title", "detail") if problem.get(name))
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = response.reason or ""
    raise ApiRefused(f"{response.method} {response.url.path} was answered {response.status}: {reason}")
