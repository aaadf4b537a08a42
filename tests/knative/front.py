"""What stands before the queue-proxies, in place of Kourier's Envoy: `python -m tests.knative.front ROUTES`.

ROUTES is a JSON file, read at each request: host name → the addresses of its pods. As Envoy does: one listener for public
names and for those inside the cluster, routed by Host alone; names of headers in lower case; 404 for a host that nobody
has; 503 where nobody answers; bodies pass as they come.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

__all__ = ["PORT", "main"]

PORT = 80
_QUEUE_PROXY = 8012
_CHUNK = 256 * 1024
# Envoy's max_request_headers_kb is 60; one header may have all of it.
_HEADER_BYTES = 60 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}


def main() -> None:
    """Serve until SIGTERM."""
    asyncio.run(_serve(Path(sys.argv[1])))


async def _serve(routes: Path) -> None:
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    skipped = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
    limits = {"max_line_size": _HEADER_BYTES, "max_field_size": _HEADER_BYTES}
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        skip_auto_headers=skipped,
        auto_decompress=False,
        read_bufsize=_CHUNK,
        cookie_jar=aiohttp.DummyCookieJar(),
        **limits,
    ) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await _route(request, routes, session)

        server = web.Server(
            handle, handler_cancellation=True, auto_decompress=False, read_bufsize=_CHUNK, access_log=None, **limits
        )
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", PORT, backlog=1024).start()
        await asyncio.Event().wait()


async def _route(request: web.BaseRequest, routes: Path, session: aiohttp.ClientSession) -> web.StreamResponse:
    host = request.headers.get("Host", "").lower().partition(":")[0]
    pods = json.loads(routes.read_bytes()).get(host)
    if pods is None:
        return web.Response(status=404)
    if request.headers.get("Expect") and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    url = URL(f"http://{random.choice(pods)}:{_QUEUE_PROXY}{request.raw_path}", encoded=True) if pods else None
    try:
        if not url:
            raise ConnectionError("there is no pod")
        headers, body = _passed_on(request), _body(request)
        answer = await session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
    except (aiohttp.ClientError, OSError) as error:
        print(f"{request.method} {host}{request.raw_path}: {error!r}", flush=True)
        return web.Response(status=503, text="upstream connect error or disconnect/reset before headers")
    async with answer:
        return await _pass_back(request, answer)


async def _pass_back(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = CIMultiDict((name.lower(), value) for name, value in _end_to_end(answer.headers))
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
    headers = CIMultiDict((name.lower(), value) for name, value in _end_to_end(request.headers))
    before = headers.popall("x-forwarded-for", [])
    headers["x-forwarded-for"] = ",".join([*before, request.remote or ""])
    headers.setdefault("x-forwarded-proto", "http")
    headers.setdefault("x-request-id", str(uuid.uuid4()))
    return headers


def _end_to_end(headers: CIMultiDict[str]) -> list[tuple[str, str]]:
    named = {each.strip().lower() for value in headers.getall("Connection", []) for each in value.split(",")}
    return [(name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP | named]


def _body(request: web.BaseRequest) -> AsyncIterator[bytes] | None:
    return request.content.iter_any() if request.body_exists else None


if __name__ == "__main__":
    main()
