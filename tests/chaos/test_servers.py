"""MariaDB, RabbitMQ and MongoDB stopped, killed and cut off while jobs flow: every job ends done, and is told once."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import media
from tests.e2e.inside import mails, tick
from tests.patience import PATIENCE
from tests.servers import MariaDB, Mongo, RabbitMQ, Server
from tests.system import Audiolift, User

JOBS = 12
DOWN_SECONDS = 4
# So that what a minute heals in operation is healed in seconds here.
HASTE = {"LEASE_SECONDS": "5", "RESEND_SECONDS": "5"}


@pytest.fixture(scope="module")
def audiolift(
    tmp_path_factory: pytest.TempPathFactory, mariadb: MariaDB, rabbitmq: RabbitMQ, mongo: Mongo
) -> Iterator[Audiolift]:
    """audiolift on the real servers, each with a place of its own in them."""
    name = f"chaos{uuid.uuid4().hex[:8]}"
    stores = {
        "DATABASE_URL": mariadb.create(name),
        "BLOBS_URL": f"{mongo.url.rpartition('/')[0]}/{name}",
        "RABBITMQ_URL": rabbitmq.url,
    }
    running = Audiolift(tmp_path_factory.mktemp("servers") / "data", {**stores, **HASTE})
    # Debian's RabbitMQ 3.10 can lose a quorum queue that it was killed soon after the declaration of.
    stopped(rabbitmq)
    yield running
    print(*running.output, sep="\n")
    running.stop()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of sound."""
    return media.make(tmp_path_factory.mktemp("media") / "audio-only.ogg")


def stopped(server: Server) -> None:
    server.stop()
    time.sleep(DOWN_SECONDS)
    server.start()


def killed(server: Server) -> None:
    server.kill()
    time.sleep(DOWN_SECONDS)
    server.start()


@pytest.mark.parametrize(
    ("name", "fault"),
    [("rabbitmq", stopped), ("rabbitmq", killed), ("mariadb", stopped), ("mariadb", killed), ("mongo", killed)],
)
def test_every_accepted_job_ends_done_and_its_owner_is_told_once(
    audiolift: Audiolift,
    user: User,
    sound: Path,
    name: str,
    fault: Callable[[Server], None],
    request: pytest.FixtureRequest,
) -> None:
    accepted: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        uploads = pool.submit(upload_all, user, sound, accepted)
        while len(accepted) < JOBS // 3 and not uploads.done():
            time.sleep(0.05)
        # In the main thread: a server dies with the thread that started it.
        fault(request.getfixturevalue(name))
        uploads.result()

    for job_id in accepted:
        done = ended(audiolift, user, job_id)
        assert done["state"] == "done", done["error"]
        assert media.tone(user.audio(done)) == pytest.approx(440, abs=2)
    assert told(audiolift, user) == Counter({f"{number}.ogg": 1 for number in range(JOBS)})


def upload_all(user: User, sound: Path, accepted: list[str]) -> None:
    for number in range(JOBS):
        accepted.append(upload(user, sound, f"{number}.ogg"))


def upload(user: User, sound: Path, filename: str) -> str:
    """Upload as a careful client does: with a key, again and again until it is accepted. Returns: the job's id."""
    headers, ends = {"Idempotency-Key": filename, "Content-Type": "audio/ogg"}, time.monotonic() + PATIENCE
    while True:
        with suppress(httpx.TransportError):
            query = {"filename": filename}
            answer = user.http.post("/v1/jobs", params=query, content=sound.read_bytes(), headers=headers)
            if answer.status_code == 202:
                return str(answer.json()["id"])
            assert answer.status_code in (409, 502, 503), answer.text
        assert time.monotonic() < ends
        time.sleep(0.3)


def ended(audiolift: Audiolift, user: User, job_id: str) -> dict[str, Any]:
    """The job once it is over, with a tick of sweep every few seconds."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        answer = user.http.get(f"/v1/jobs/{job_id}")
        if answer.is_success and answer.json()["state"] in ("done", "failed", "cancelled"):
            job: dict[str, Any] = answer.json()
            return job
        tick(audiolift)
        time.sleep(1)
    raise AssertionError(f"job {job_id} is not over: {answer.text}")


def told(audiolift: Audiolift, user: User) -> Counter[str]:
    """How often the user was told of each file, once all were told of and nothing more comes."""
    ends = time.monotonic() + PATIENCE
    while len(mails(audiolift, user.email)) < JOBS and time.monotonic() < ends:
        tick(audiolift)
        time.sleep(1)
    return Counter(mail["Subject"].rpartition(": ")[2] for mail in mails(audiolift, user.email))
