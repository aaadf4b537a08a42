"""What a proxy tells of itself and of the way that a request has come: Via, Forwarded and X-Forwarded-*."""

from __future__ import annotations

from starlette.types import Scope

from functions.shared import settings
from functions.shared.headers import Headers, end_to_end
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.problems import Problem

__all__ = ["PSEUDONYM", "Loops", "homeward", "onward", "protocol_of"]

# The name of every gateway in Via (RFC 9110, section 7.6.3): one that has turned round meets itself.
PSEUDONYM = b"audiolift-gateway"
# Knative and Envoy take orders by these: Serving hands K-Original-Host to the function as its Host, for one.
_STEERING = (b"k-", b"knative-serving-", b"x-envoy-")
_WRITTEN_HERE = {b"host", b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}


class Loops(Middleware):
    """Refuses requests that have been through a gateway already."""

    async def before(self, call: Call, route: Route) -> None:
        """Raises: Problem (508)."""
        passed = b",".join(value for name, value in call.request.scope["headers"] if name == b"via").split(b",")
        # A member is: protocol, whom it came to, and perhaps a comment.
        if any(member.split()[1:2] == [PSEUDONYM] for member in passed):
            raise Problem(
                "loop-detected", "The request came back to the gateway: an address is set to the gateway's own."
            )


def onward(scope: Scope) -> Headers:
    """The headers of a request as they leave for a function. Its Host is left out: it is that of the address called.

    What the client asked for, and of whom we have it, is added to what earlier proxies have said (RFC 7239). None of
    that is proven: a client can have begun the lists.
    """
    # First, so that a client cannot have our own headers dropped by naming them in Connection.
    came = end_to_end(scope["headers"])
    peer, host, proto = _peer(scope), _all(came, b"host"), scope["scheme"].encode()
    element = b"for=%s;host=%s;proto=%s" % (_node(peer), _quoted(host), proto)
    kept = [(name, value) for name, value in came if name not in _WRITTEN_HERE and not name.startswith(_STEERING)]
    return [
        *kept,
        (b"via", _extended(came, b"via", b"%s %s" % (scope["http_version"].encode(), PSEUDONYM))),
        (b"forwarded", _extended(came, b"forwarded", element)),
        (b"x-forwarded-for", _extended(came, b"x-forwarded-for", peer)),
        (b"x-forwarded-host", _extended(came, b"x-forwarded-host", host)),
        (b"x-forwarded-proto", protocol_of(scope)),
    ]


def protocol_of(scope: Scope) -> bytes:
    """By which protocol the client came: `https`, `http`, or what else a client makes up.

    That is not a list: only the first of all proxies knows it. Where that says nothing, who ends TLS for us is not
    seen from here, and PUBLIC_URL says whether somebody does.
    """
    said = _all(scope["headers"], b"x-forwarded-proto").partition(b",")[0].strip()
    own = settings.text("PUBLIC_URL").partition(":")[0] if scope["scheme"] == "http" else scope["scheme"]
    return said or own.encode()


def homeward(headers: Headers) -> Headers:
    """The headers of a function's answer as they leave for the client."""
    kept = [(name, value) for name, value in headers if name != b"via"]
    return [*kept, (b"via", _extended(headers, b"via", b"1.1 " + PSEUDONYM))]


def _all(headers: Headers, wanted: bytes) -> bytes:
    return b", ".join(value for name, value in headers if name == wanted)


def _extended(headers: Headers, name: bytes, ours: bytes) -> bytes:
    earlier = _all(headers, name)
    return b"%s, %s" % (earlier, ours) if earlier else ours


def _peer(scope: Scope) -> bytes:
    client = scope.get("client")
    return client[0].encode() if client else b"unknown"


def _node(peer: bytes) -> bytes:
    return b'"[%s]"' % peer if b":" in peer else peer


def _quoted(text: bytes) -> bytes:
    return b'"%s"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
