"""What Serving puts in front of a function: what it refuses, and what it adds to requests and answers or takes away.

That is the ingress (Envoy, as Kourier sets it up), the activator and queue-proxy, seen as one. Kourier leaves Envoy's
limits and its handling of paths as they are by default.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from email.utils import formatdate
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from functions.shared.headers import Headers, end_to_end, header_text

__all__ = ["inward", "names", "outward", "refusal", "said", "target"]

# max_request_headers_kb and max_headers_count. The address counts too, as do the names.
_MAX_HEADER_BYTES = 60 * 1024
_MAX_HEADERS = 100
_AUTHORITY = re.compile(r"[A-Za-z0-9!$%&'()*+,\-.:;=@\[\]_~]+")
# Envoy takes what ASCII can show, and no fragment; Go's server wants two hexadecimal digits behind each % of a path.
_TARGET = re.compile(r"/(?:[!\"$&->@-~]|%[0-9A-Fa-f]{2})*(?:\?[!\"$-~]*)?")
# queue-proxy answers these itself: they are how Kubernetes and Knative ask for its health.
_PROBERS = ("kube-probe/", "Knative-Activator-Probe", "Knative-Autoscaling-Probe")
_PROBE_HEADERS = ("K-Network-Probe", "K-Kubelet-Probe")
# They steer Serving, and a function does not get to see them.
_STEERING = {b"knative-serving-revision", b"knative-serving-namespace", b"k-original-host", b"k-proxy-request"}
_WAY = {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}


def names(service: str, namespace: str, address: str) -> frozenset[str]:
    """The hosts that lead to a cluster-local Service, in lower case: those of its Route, and `address` (a URL)."""
    cluster = f"{service}.{namespace}"
    return frozenset((cluster, f"{cluster}.svc", f"{cluster}.svc.cluster.local", urlsplit(address).netloc))


def refusal(request: web.BaseRequest, hosts: frozenset[str] | None) -> web.Response | None:
    """The answer to a request that never reaches a function, else None. `hosts` None means any host."""
    if len(request.raw_headers) > _MAX_HEADERS or _size(request) > _MAX_HEADER_BYTES:
        return said(431, "Request Header Fields Too Large")
    if request.version < (1, 1):
        return said(426)
    host = _host(request)
    if not _AUTHORITY.fullmatch(host) or not _TARGET.fullmatch(target(request)):
        return said(400)
    if hosts is not None and not {host.lower(), host.lower().partition(":")[0]} & hosts:
        return said(404)
    if request.headers.get("User-Agent", "").startswith(_PROBERS) or any(n in request.headers for n in _PROBE_HEADERS):
        return said(400, f"unexpected probe header value: {request.headers.get(_PROBE_HEADERS[0], '')}\n")
    return None


def said(status: int, text: str = "") -> web.Response:
    """An answer of Serving's own."""
    headers = {"content-type": "text/plain; charset=utf-8"} if text else {}
    return web.Response(status=status, body=text.encode(), headers=outward([], headers))


def target(request: web.BaseRequest) -> str:
    """Path and query as they came, also from the absolute form (RFC 9112, section 3.2.2)."""
    path = request.raw_path
    if not _absolute(path):
        return path
    rest = path.split("://", 1)[1]
    cut = re.search(r"[/?]", rest)
    tail = rest[cut.start() :] if cut else ""
    return tail if tail.startswith("/") else f"/{tail}"


def inward(request: web.BaseRequest, *, edge: bool) -> Headers:
    """The headers that the function gets, named as Go names them. At the `edge` nobody is believed about the way."""
    came = end_to_end(request.raw_headers)
    original = [value for name, value in came if name.lower() == b"k-original-host"]
    dropped = {b"host", *_STEERING, *(_WAY if edge else ())}
    kept = [(_canonical(name), value) for name, value in came if name.lower() not in dropped]
    host = next((value for value in original if value), _host(request).encode("utf-8", "surrogateescape"))
    return [(b"Host", host), *_with_the_way(kept, request), (b"K-Proxy-Request", b"activator")]


def outward(headers: Headers, more: dict[str, str] | None = None) -> CIMultiDict[str]:
    """The headers that the client gets: names in lower case, as Envoy writes them, and Envoy for a server."""
    pairs = [(name.decode("ascii").lower(), header_text(value)) for name, value in headers]
    answer = CIMultiDict([*pairs, *(more or {}).items()])
    answer.setdefault("date", formatdate(usegmt=True))
    answer.pop("server", None)
    answer["server"] = "envoy"
    return answer


def _with_the_way(headers: Headers, request: web.BaseRequest) -> Iterator[tuple[bytes, bytes]]:
    """The headers, and where the request has come from: Envoy, activator and queue-proxy each add their part."""
    there = dict(headers)
    nodes = [value for name, value in headers if name == b"X-Forwarded-For"]
    nodes.append((request.remote or "unknown").encode())
    yield from ((name, value) for name, value in headers if name != b"X-Forwarded-For")
    yield b"X-Forwarded-For", b", ".join(nodes)
    proto = there.get(b"X-Forwarded-Proto", request.scheme.encode())
    if b"X-Forwarded-Proto" not in there:
        yield b"X-Forwarded-Proto", proto
    if b"X-Request-Id" not in there:
        yield b"X-Request-Id", str(uuid.uuid4()).encode()
    if b"Forwarded" not in there:
        yield b"Forwarded", _forwarded(b",".join(nodes), there.get(b"X-Forwarded-Host", b""), proto)


def _forwarded(nodes: bytes, host: bytes, proto: bytes) -> bytes:
    """What queue-proxy makes of X-Forwarded-*: host and proto belong to the first node."""
    first, *others = [node.strip() for node in nodes.split(b",")]
    quoted = [b"for=" + (b'"[%s]"' % node if b":" in node else node) for node in (first, *others)]
    about = b"".join(b";%s=%s" % part for part in ((b"host", host), (b"proto", proto)) if part[1])
    return b", ".join([quoted[0] + about, *quoted[1:]])


def _host(request: web.BaseRequest) -> str:
    """Whom the request is for: the absolute form says it before Host does."""
    if _absolute(request.raw_path):
        return re.split(r"[/?]", request.raw_path.split("://", 1)[1], maxsplit=1)[0]
    return ",".join(request.headers.getall("Host", ()))


def _absolute(path: str) -> bool:
    return path.lower().startswith(("http://", "https://"))


def _size(request: web.BaseRequest) -> int:
    return len(request.raw_path) + sum(len(name) + len(value) for name, value in request.raw_headers)


def _canonical(name: bytes) -> bytes:
    """As Go's net/textproto writes it: Content-Type, whatever came."""
    return b"-".join(part.capitalize() for part in name.split(b"-"))
