"""audiolift whole, on one machine, with functions that are watched: a job at a time, and what became of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.watched import Step, Watch
from tests.patience import PATIENCE
from tests.system import Audiolift, User

__all__ = ["Service", "serving"]

PIECE, POLL_SECONDS = 1 << 18, 0.02


@contextmanager
def serving(directory: Path, more: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Start an audiolift, with these settings too, whose data is below the directory."""
    with tempfile.TemporaryDirectory(prefix="data-", dir=directory) as data:
        service = Service(Path(data), more or {})
        try:
            yield service
        finally:
            service.close()


class Service:
    """audiolift on one machine, whose functions are watched, and a user of it."""

    def __init__(self, data: Path, more: Mapping[str, str]) -> None:
        self.watch = Watch(data / "notes")
        self._audiolift = Audiolift(data / "audiolift", {**self.watch.environment, **more})
        self._user = self._audiolift.user()

    def convert(self, video: Path) -> tuple[float, Sequence[Step]]:
        """When the last byte of the video was sent (Unix seconds), and the steps of the job until its owner is told."""
        self.watch.forget()
        sent = _send(self._user, video)
        ends = time.monotonic() + PATIENCE
        while not _is_over(steps := self.watch.steps()):
            if time.monotonic() > ends:
                raise TimeoutError(f"{video.name} is not converted: {steps}")
            time.sleep(POLL_SECONDS)
        return sent, steps

    def close(self) -> None:
        """Stop it."""
        self._audiolift.stop()


def _send(user: User, video: Path) -> float:
    sent = 0.0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        with video.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
        sent = time.time()

    headers = {"Content-Type": "video/mp4", "Content-Length": str(video.stat().st_size)}
    named = {"filename": video.name}
    user.http.post("/v1/jobs", params=named, content=pieces(), headers=headers).raise_for_status()
    return sent


def _is_over(steps: Sequence[Step]) -> bool:
    """Whether both events have been delivered, and answered."""
    return {"convert", "notify"} <= {step.by for step in steps if step.what == "deliver"}
