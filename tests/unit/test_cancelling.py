"""A conversion that is cancelled or deleted frees the processor within two seconds, and leaves nothing half-made."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.convert import main
from functions.convert.sandbox import nursery
from functions.shared import audit, unwanted
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, deletion, names, transitions
from tests import media
from tests.patience import PATIENCE
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables")

SECONDS, SOON_SECONDS = 2400, 2.0
# Of a conversion that nobody stops, by its attempt: what is soon on a slow machine is a part of it.
WHOLE_SECONDS: dict[int, float] = {}


@pytest.fixture(autouse=True)
def workers() -> Iterator[None]:
    """No warm process outlives its test."""
    yield
    nursery.close()


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "hour.mp4"
    sound = ("-f", "lavfi", "-i", f"sine=440:r=8000:d={SECONDS}", "-c:a", "aac", "-b:a", "24k")
    subprocess.run([media.ffmpeg(), "-v", "error", "-y", *sound, str(path)], check=True)
    return path


def cancelled(job: str) -> None:
    assert transitions.cancel(job)
    unwanted.delete_of(job)


def deleted(job: str) -> None:
    assert deletion.delete(rows.read(job), audit.SWEEP)


@pytest.mark.parametrize("attempts", [1, 3], ids=["by the engine", "by ffmpeg"])
@pytest.mark.parametrize("delay", [0.0, 0.3, random.uniform(0.5, 2.5)], ids=["at once", "soon", "in the middle"])
@pytest.mark.parametrize("stop", [cancelled, deleted])
def test_it_ends_soon_with_its_processes_and_what_it_wrote(
    store: Blobs, hour: Path, attempts: int, delay: float, stop: Callable[[str], None]
) -> None:
    soon = max(SOON_SECONDS, whole_seconds(store, hour, attempts) / 2)
    claim, others = claimed(store, hour, attempts), set(times())
    before = stored(store)
    conversion = threading.Thread(target=main._convert, args=[claim])
    conversion.start()
    time.sleep(delay)
    stop(claim.job_id)
    asked_at = time.monotonic()
    conversion.join(PATIENCE)
    assert time.monotonic() - asked_at < soon
    assert busy_descendants() <= others
    assert stored(store) <= before
    assert rows.read(claim.job_id) is None or rows.read(claim.job_id).state == "cancelled"


def whole_seconds(store: Blobs, video: Path, attempts: int) -> float:
    if attempts not in WHOLE_SECONDS:
        claim, began = claimed(store, video, attempts), time.monotonic()
        main._convert(claim)
        WHOLE_SECONDS[attempts] = time.monotonic() - began
        assert rows.read(claim.job_id).state == "done"
    return WHOLE_SECONDS[attempts]


def stored(store: Blobs) -> set[str]:
    return {blob.name for blob in store.all()}


def claimed(store: Blobs, video: Path, attempts: int) -> claims.Claim:
    """The claim of a new job with this video, which was tried before."""
    job = rows.job("queued", filename=video.name, options={"quality": 0, "sample_rate": 48000}, attempts=attempts - 1)
    with store.writing(names.old_video(job)) as writer:
        writer.write(video.read_bytes())
    claim = claims.claim(job)
    assert claim
    return claim


def busy_descendants() -> set[int]:
    """Processes that this one or its children started, and that eat time: no idle workers."""
    before = times()
    time.sleep(0.3)
    return {process for process, ticks in times().items() if ticks - before.get(process, 0) > 10}


def times() -> dict[int, int]:
    """Of each descendant of this process, the clock ticks of CPU time that it has had."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    return {process: ticks for process, (_, ticks) in stats.items() if descends(process, stats)}


def descends(process: int, stats: dict[int, tuple[int, int]]) -> bool:
    while process in stats:
        process = stats[process][0]
        if process == os.getpid():
            return True
    return False
