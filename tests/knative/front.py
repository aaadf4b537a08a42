"""What stands before the queue-proxies, in place of Kourier's Envoy: `python -m tests.knative.front ROUTES`.

ROUTES is a JSON file, read at each request: host name → the address of its pod. As Envoy does: one listener for public
names and for those inside the cluster, routed by Host alone; names of headers in lower case; 404 for a host that nobody
has; 503 where nobody answers; bodies pass as they come.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

__all__ = ["PORT", "main"]

PORT = 80
_QUEUE_PROXY = 8012
_CHUNK = 256 * 1024
# Envoy's max_request_headers_kb is 60; one header may have all of it.
_HEADER_BYTES = 60 * 1024
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
}


def main() -> None:
    """Serve until SIGTERM."""
    asyncio.run(_serve(Path(sys.argv[1])))


async def _serve(routes: Path) -> None:
    async with _session() as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await _route(request, _Routes(routes), session)

        runner = web.ServerRunner(_server(handle))
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", PORT, backlog=1024).start()
        await asyncio.Event().wait()


def _server(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> web.Server:
    return web.Server(
        handle,
        handler_cancellation=True,
        auto_decompress=False,
        read_bufsize=_CHUNK,
        access_log=None,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        auto_decompress=False,
        read_bufsize=_CHUNK,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )


class _Routes:
    """The table as it is now."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pod(self, host: str) -> str | None:
        """The address of a host's pod, "" where it has none now; None for a host that nobody has."""
        address: str | None = json.loads(self._file.read_bytes()).get(host.lower().partition(":")[0])
        return address


async def _route(request: web.BaseRequest, routes: _Routes, session: aiohttp.ClientSession) -> web.StreamResponse:
    pod = routes.pod(request.headers.get("Host", ""))
    if pod is None:
        return web.Response(status=404)
    if request.headers.get("Expect") and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    url = URL(f"http://{pod}:{_QUEUE_PROXY}{request.raw_path}", encoded=True)
    headers, body = _passed_on(request), request.content.iter_any() if request.body_exists else None
    try:
        answer = await session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
    except (aiohttp.ClientError, OSError) as error:
        print(f"{request.method} {request.host}{request.raw_path}: {error!r}", flush=True)
        return web.Response(status=503, text="upstream connect error or disconnect/reset before headers")
    async with answer:
        return await _pass_back(request, answer)


async def _pass_back(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = CIMultiDict(_end_to_end(answer.headers))
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    except (aiohttp.ClientError, OSError):
        # A status has gone out: only a connection that breaks says that the rest is missing.
        if request.transport:
            request.transport.abort()
    return response


def _passed_on(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = CIMultiDict(_end_to_end(request.headers))
    before = headers.popall("x-forwarded-for", [])
    headers["x-forwarded-for"] = ",".join([*before, request.remote or ""])
    headers.setdefault("x-forwarded-proto", "http")
    headers.setdefault("x-request-id", str(uuid.uuid4()))
    return headers


def _end_to_end(headers: CIMultiDictProxy[str]) -> list[tuple[str, str]]:
    named = {each.strip().lower() for value in headers.getall("Connection", []) for each in value.split(",")}
    pairs = ((name.lower(), value) for name, value in headers.items())
    return [(name, value) for name, value in pairs if name not in _HOP_BY_HOP | named]


if __name__ == "__main__":
    main()
