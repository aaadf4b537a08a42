"""Dies by SIGKILL before every line of a function, one process each: `python -m tests.chaos.dying NAME USER_ID FILE`.

Nothing of the function is replaced: a trace function sees each line before it is run. Each process has a new job of the
user, with FILE as its video, and is given the event that the function is triggered by. Prints the places of death; the
job of each is named after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from events.catalogue import CATALOGUE
from events.codec import encode
from events.wire import write
from functions.shared import blobs, database, tables
from functions.shared.jobs import claims, transitions
from functions.shared.jobs.transitions import Audio
from functions.upload import intake
from tests import asgi
from tests.system import ROOT

# The files whose lines are the steps.
STEPS = {
    "convert": ("functions/convert/main.py", "functions/shared/outbox.py"),
    "notify": tuple(f"functions/notify/{name}.py" for name in ("main", "fanout", "telling", "news", "ledger")),
}
_TYPES = {event_type.TYPE: event_type for event_type in CATALOGUE}

Place = tuple[str, int]


def main() -> None:
    """The command line."""
    name, user_id, file = sys.argv[1:]
    app = asgi.app_of(name)

    def deliver(title: str, reached: Callable[[Place], None]) -> None:
        event_id = {"convert": queued, "notify": done}[name](user_id, title, Path(file).read_bytes())
        headers, body = event(event_id)
        with watched(tracer(STEPS[name], reached)):
            asgi.call(app, "POST", "/", headers, body)

    for place in places_of(deliver):
        title = f"{place[0].replace('/', '.')}.{place[1]}.ogg"
        pid = os.fork()
        if pid == 0:
            deliver(title, partial(die_at, place))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"{title} did not die")
        print(title, flush=True)


def places_of(deliver: Callable[[str, Callable[[Place], None]], None]) -> list[Place]:
    """Every line that an undisturbed delivery runs, in the order of the first time."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        places: dict[Place, None] = {}
        deliver("undisturbed.ogg", lambda place: places.setdefault(place))
        os.write(writer, json.dumps(list(places)).encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    with os.fdopen(reader) as pipe:
        return [(file, line) for file, line in json.load(pipe)]


def tracer(files: tuple[str, ...], reached: Callable[[Place], None]) -> Callable[[FrameType, str, Any], Any]:
    """A trace function (sys.settrace) that tells of each line of these files that is about to run."""

    def on_line(frame: FrameType, what: str, _argument: Any) -> Any:
        if what == "line":
            reached((str(Path(frame.f_code.co_filename).relative_to(ROOT)), frame.f_lineno))
        return on_line

    def on_call(frame: FrameType, _what: str, _argument: Any) -> Any:
        code = frame.f_code
        return on_line if code.co_filename.endswith(files) and code.co_name != "<module>" else None

    return on_call


@contextmanager
def watched(trace: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    """Have this thread, and those that are started meanwhile, run under a trace function."""
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
        threading.settrace(None)


def die_at(last: Place, here: Place) -> None:
    """End this process, as a crash of the machine would, when the two places are one."""
    if here == last:
        os.kill(os.getpid(), signal.SIGKILL)


def queued(user_id: str, title: str, video: bytes) -> str:
    """A job with its video, as upload leaves it when it dies before it sends. Returns: the id of video.uploaded."""
    return transitions.queue(claims.claim_upload(received(user_id, title, video)), title, {}, len(video))


def done(user_id: str, title: str, video: bytes) -> str:
    """A job with its MP3, as convert leaves it when it dies before it sends. Returns: the id of audio.created."""
    job_id = received(user_id, title, video)
    transitions.queue(claims.claim_upload(job_id), title, {}, len(video))
    claim = claims.claim(job_id)
    assert claim
    return transitions.finish(claim, store(claim.audio, video))


def received(user_id: str, title: str, video: bytes) -> str:
    """A job whose video has just been stored. Returns: its id."""
    job_id, _ = intake.open_job(user_id, title, {}, None, "")
    store(claims.claim_upload(job_id).video, video)
    return job_id


def store(name: str, data: bytes) -> Audio:
    """Write a blob. Returns: what finish takes, were it an MP3."""
    with blobs.store().writing(name) as writer:
        writer.write(data)
    return Audio(writer.size_bytes, writer.sha256(), 1.0)


def event(event_id: str) -> tuple[Any, bytes]:
    """An event of the outbox, as the broker would deliver it: headers and body."""
    with database.reading() as connection:
        row = connection.execute(tables.outbox.select().where(tables.outbox.c.event_id == event_id)).one()
    event_type = _TYPES[row.type]
    source = event_type.SOURCE or ""
    return write(encode(event_type, row.data, id=event_id, source=source, subject=row.job_id, time=row.created_at))


if __name__ == "__main__":
    main()
