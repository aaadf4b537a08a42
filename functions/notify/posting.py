"""Posts to a stranger's server: to public addresses only, within a time, and without following it elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpcore

from functions.shared.addresses import check_url
from functions.shared.connections import Guarded, trust
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure

__all__ = ["POST_SECONDS", "WHY", "NotPosted", "post"]

# For all of it; receivers are told to answer at once and work afterwards.
POST_SECONDS, CONNECT_SECONDS = 20.0, 10.0
WHY = {
    "not-public": "its host does not lead to a public address",
    "no-host": "there is no host of its name",
    "no-answer": "it did not answer",
}


class NotPosted(Unavailable):
    """There is no answer to a post. `code` is one of WHY."""

    def __init__(self, code: str, more: str = "") -> None:
        super().__init__(WHY[code] + more)
        self.code = code


def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """POST a body. Returns: the status of the answer, of which nothing else is read.

    Raises: NotPosted when there is none, no such host, or one that leads to an address that is not public.
    """
    timeouts = {"connect": CONNECT_SECONDS, "read": POST_SECONDS, "write": POST_SECONDS, "pool": CONNECT_SECONDS}
    sent = [("Host", urlsplit(url).netloc), ("Content-Length", str(len(body))), *headers.items()]
    backend = Guarded(time.monotonic() + POST_SECONDS)
    try:
        check_url(url)
        with (
            httpcore.ConnectionPool(network_backend=backend, ssl_context=trust()) as pool,
            pool.stream("POST", url, headers=sent, content=body, extensions={"timeout": timeouts}) as response,
        ):
            return int(response.status)
    except Failure as failure:
        raise NotPosted("not-public" if failure.code == "refused-url" else "no-host") from None
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        # What the libraries say may hold more than its owner has to know of our network.
        raise NotPosted("no-answer", f": {type(error).__name__}") from error
