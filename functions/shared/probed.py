"""gunicorn's threaded worker, with threads of their own for probes.

Its one pool of threads serves every connection in turn: behind requests that hold all threads, kubelet would get no
answer and restart what is only busy.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

__all__ = ["PROBES", "ProbedWorker"]

PROBES = (b"GET /healthz ", b"GET /readyz ")
THREADS = 2
# kubelet and queue-proxy send no more than this, and all at once. What dribbles in is no probe.
MOST_BYTES = 4096


class ProbedWorker(ThreadWorker):  # type: ignore[misc]
    """Hands a connection whose request is a probe, or that has ended, to other threads than all others."""

    def init_process(self) -> None:
        """The threads for probes are there before the first connection."""
        self._probing = ThreadPoolExecutor(THREADS, "probe")
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Called by the main loop for a connection that is new, or has something to read."""
        head = _head(conn)
        if head is None and self.alive:
            self._wait_for_data(conn)
        elif not head or (head.startswith(PROBES) and head.endswith(b"\r\n\r\n")):
            done = partial(self.method_queue.defer, self.finish_request, conn)
            self._probing.submit(self.handle, conn).add_done_callback(done)
        else:
            super().enqueue_req(conn)

    def _wait_for_data(self, conn: TConn) -> None:
        # As the worker itself does with a connection on which nothing came for five seconds.
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))


def _head(conn: TConn) -> bytes | None:
    """What has come on a connection and is not read yet: None for nothing so far, b"" for its end."""
    try:
        head: Any = conn.sock.recv(MOST_BYTES, MSG_PEEK | MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    return bytes(head)
