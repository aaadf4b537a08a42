"""functions/shared/threads.py: plain functions beside the event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from functions.shared import threads, trace
from functions.shared.threads import each_in_thread, in_thread, on_loop
from tests import asgi
from tests.patience import PATIENCE
from tests.system import ROOT

HEADER = f"00-{'a' * 32}-{'b' * 16}-01"
# Another thread than the one that started the child ends; the child asked to die with its parent.
CODE = """
import asyncio, subprocess, sys, threading, time
from functions.shared.threads import in_thread

CHILD = '''
import ctypes, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
print("well", flush=True)
sys.stdin.read()
'''

def start():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child

async def main():
    # anyio ends a thread that was idle for so long when the next one is wanted.
    import anyio._backends._asyncio as backend
    backend.WorkerThread.MAX_IDLE_TIME = 0
    child = await in_thread(start)
    for _ in range(3):
        await asyncio.gather(*(in_thread(time.sleep, 0.01) for _ in range(4)))
    print(child.poll())
    child.stdin.close()
    child.wait()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads of this test's own, for two requests at a time."""
    monkeypatch.setenv("CONCURRENCY", "2")
    threads._pool.cache_clear()
    yield
    threads._pool.cache_clear()


def test_no_more_run_at_a_time_than_requests_and_one_and_the_others_wait() -> None:
    ran: set[int] = set()
    together = threading.Barrier(3)

    def run() -> None:
        ran.add(threading.get_ident())
        together.wait(PATIENCE)

    async def nine() -> None:
        await asyncio.gather(*(in_thread(run) for _ in range(9)))

    asyncio.run(nine())
    assert len(ran) == 3


def test_the_event_loop_goes_on_while_a_function_blocks() -> None:
    blocked = threading.Event()

    async def both() -> bool:
        waiting = asyncio.ensure_future(in_thread(blocked.wait, 60))
        await asyncio.sleep(0)
        blocked.set()
        return await waiting

    assert asyncio.run(both())


def test_what_it_raises_comes_back() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        asyncio.run(in_thread(fail))


def test_a_thread_has_coroutines_run_on_the_loop_that_it_was_called_from() -> None:
    async def where() -> int:
        return threading.get_ident()

    assert asyncio.run(in_thread(lambda: on_loop(where()))) == threading.get_ident()


def test_pieces_are_had_one_by_one_to_the_end() -> None:
    async def collected() -> list[bytes]:
        return [piece async for piece in each_in_thread(iter([b"a", b"", b"b"]))]

    assert asyncio.run(collected()) == [b"a", b"", b"b"]


def test_a_plain_handler_is_in_the_trace_of_its_request_and_nothing_of_it_is_left() -> None:
    seen: list[trace.Trace | None] = []

    def handler(_request: Request) -> Response:
        seen.append(trace.current())
        return Response()

    for headers in ({"traceparent": HEADER}, {}):
        asgi.answered(handler, headers=headers)
    assert seen == [trace.Trace(HEADER), None]


def test_what_a_thread_has_started_lives_on_when_the_thread_has_nothing_to_do() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
