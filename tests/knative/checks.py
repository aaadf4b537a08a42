"""What every fault must leave as it was: each job done, each owner told once."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from events.catalogue import VideoSubmitted
from tests.knative.plane import Plane
from tests.patience import PATIENCE
from tests.system import User

__all__ = ["attributes", "check_told_once", "jobs", "names", "told", "upload_all"]

_PAUSE = 2


def names(count: int, suffix: str = ".ogg") -> list[str]:
    """So many names of files that nothing else has."""
    return [f"{uuid.uuid4().hex}{suffix}" for _ in range(count)]


def upload_all(user: User, video: Path, titles: Sequence[str]) -> None:
    """Upload a video under each name."""
    for title in titles:
        user.upload(video, filename=title)


def attributes(event_id: str) -> dict[str, str]:
    """Those of an event of a system that is trusted, by which it submits a video."""
    return {"specversion": "1.0", "id": event_id, "source": "/example/cms", "type": VideoSubmitted.TYPE}


def jobs(plane: Plane, titles: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the jobs with these names."""
    places = ", ".join(["%s"] * len(titles))
    return plane.rows(f"SELECT * FROM jobs WHERE filename IN ({places})", *titles)


def check_told_once(plane: Plane, email: str, titles: Sequence[str]) -> None:
    """Wait until nothing is left to do; then fail unless there is one job, done, and one mail for each name."""
    ends = time.monotonic() + PATIENCE
    while left := _left(plane, titles):
        assert time.monotonic() < ends, f"after {PATIENCE} s there is still: {left}"
        plane.eventing.revive()
        plane.tick()
        time.sleep(_PAUSE)
    assert Counter(job["filename"] for job in jobs(plane, titles)) == Counter(titles)
    told = Counter(str(mail["Subject"]).removeprefix("Your MP3 is ready: ") for mail in plane.mailbox.of(email))
    assert {title: told[title] for title in titles} == dict.fromkeys(titles, 1)


def _left(plane: Plane, titles: Sequence[str]) -> list[Any]:
    found = jobs(plane, titles)
    missing = set(titles).difference(job["filename"] for job in found)
    waiting = [(job["filename"], job["state"], job["error_code"]) for job in found if job["state"] != "done"]
    ids = tuple(job["id"] for job in found) or ("",)
    query = f"SELECT type, attempts FROM outbox WHERE settled_at IS NULL AND job_id IN ({', '.join(['%s'] * len(ids))})"
    return [*missing, *waiting, *plane.rows(query, *ids)]


def told(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What the events of a job's stream say of the job, one after the other."""
    for line in lines:
        if line.startswith("data: "):
            job: dict[str, Any] = json.loads(line.removeprefix("data: "))
            yield job
