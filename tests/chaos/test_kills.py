"""kill -9 of anything, at any time: every job ends once, and its owner hears of it once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from tests import media
from tests.e2e.inside import (
    blobs,
    children,
    environment,
    function_processes,
    job_row,
    mails,
    plain,
    rows,
    run_inside,
    secrets,
    tick,
    tree,
)
from tests.patience import PATIENCE, eventually
from tests.system import OVERLAY, ROOT, Audiolift, User

JOBS = 20
SECONDS = 300
# (function, which of its processes: 0 the one that the runner started; of convert, 1 the one that engines are forked
# from, 2 such an engine).
VICTIMS = [(name, 0) for name in ("gateway", "login", "upload", "convert", "notify", "download", "sweep")]
VICTIMS += [("convert", 1), ("convert", 2)]


@pytest.fixture(scope="module")
def audiolift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """An audiolift of its own, which takes a conversion for dead after five seconds."""
    running = Audiolift(tmp_path_factory.mktemp("chaos") / "data", {"LEASE_SECONDS": "5"})
    yield running
    running.stop()


@pytest.fixture
def tickless(tmp_path: Path) -> Iterator[Audiolift]:
    """An audiolift whose sweep never gets a tick."""
    never = {"op": "replace", "path": "/spec/schedule", "value": "0 0 29 2 *"}
    patch = {"target": {"kind": "PingSource"}, "patch": yaml.safe_dump([never])}
    overlay = {"resources": [str(OVERLAY)], "patches": [patch]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    running = Audiolift(tmp_path / "data", {"LEASE_SECONDS": "10"}, overlay=tmp_path)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of sound: a second of work."""
    path = tmp_path_factory.mktemp("media") / "recording.flac"
    source = f"sine=frequency=440:duration={SECONDS}"
    subprocess.run([media.ffmpeg(), "-v", "error", "-f", "lavfi", "-i", source, str(path)], check=True)
    return path


def test_twenty_jobs_survive_the_death_of_every_function(audiolift: Audiolift, user: User, recording: Path) -> None:
    names = upload(user, recording)

    left = set(VICTIMS)
    while left:
        wake(user)
        left -= {victim for victim in left if killed(audiolift, *victim)}

    check_all(audiolift, user, names)


def test_twenty_jobs_survive_the_death_of_the_runner(audiolift: Audiolift, user: User, recording: Path) -> None:
    names = upload(user, recording)
    eventually(lambda: function_processes(audiolift, "convert"), "a conversion under way")
    processes = tree(audiolift.process.pid)

    audiolift.stop(signal.SIGKILL)

    eventually(lambda: not any(map(alive, processes)), "no process left")
    audiolift.start()
    check_all(audiolift, user, names)


def test_the_broker_alone_brings_the_job_of_a_killed_pod_to_another(tickless: Audiolift, long_audio: Path) -> None:
    """The delivery after the kill waits until the lease has run out."""
    user = tickless.user()
    job = user.upload(long_audio)["id"]
    user.wait(job, "converting")

    assert killed(tickless, "convert", 0)

    assert user.wait(job)["state"] == "done"
    assert job_row(tickless, job)["fencing_token"] == 2


@pytest.mark.parametrize("function", ["convert", "notify"])
def test_wherever_a_function_dies_its_job_ends_done_and_is_reported_once(
    audiolift: Audiolift, user: User, tmp_path: Path, function: str
) -> None:
    user_id = user.http.get("/v1/me").json()["id"]
    sound = media.make(tmp_path / "audio-only.ogg")
    audiolift.user().upload(sound)
    mail = {"SMTP_URL": f"file://{audiolift.data}/mail", "LINK_SECRET": secrets(audiolift)["link-secret"]}

    command = [sys.executable, "-m", "tests.chaos.dying", function, user_id, str(sound)]
    died = subprocess.run(
        command, cwd=ROOT, env={**environment(audiolift), **mail}, check=True, stdout=subprocess.PIPE, text=True
    )
    names = died.stdout.split()

    assert len(names) > 10
    check_all(audiolift, user, [*names, "undisturbed.ogg"])


def upload(user: User, video: Path) -> list[str]:
    """Upload it twenty times, under as many names. Returns: the names."""
    names = [f"{number}.flac" for number in range(JOBS)]
    for name in names:
        user.upload(video, filename=name)
    return names


def wake(user: User) -> None:
    """See to it that what is started by requests runs; what it answers does not matter here."""
    user.http.post("/v1/token")
    for path in ("/v1/jobs", "/v1/me/mail"):
        user.http.get(path)


def killed(audiolift: Audiolift, name: str, depth: int) -> bool:
    """kill -9 a process of a function, `depth` below the one that the runner started. Returns: whether it was there."""
    level = function_processes(audiolift, name)
    for _ in range(depth):
        level = [child for process in level for child in children(process)]
    for process in level[:1]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            return True
    return False


def alive(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return b") Z" not in Path(f"/proc/{process}/stat").read_bytes()
    except FileNotFoundError:
        return False


def check_all(audiolift: Audiolift, user: User, names: list[str]) -> None:
    """Wait until nothing is left to do; then fail unless there is one MP3 and one mail for each name, and no more."""
    query = "SELECT jobs.* FROM jobs JOIN users ON users.id = jobs.user_id WHERE email = ?"

    def settled() -> bool:
        tick(audiolift)
        left = rows(audiolift, "SELECT type, attempts, sent_at FROM outbox WHERE settled_at IS NULL")
        left += [job for job in rows(audiolift, query, user.email) if job["state"] != "done"]
        print([tuple(row) for row in left])
        return not left

    eventually(settled, "every job done, every event settled")
    found = mails(audiolift, user.email)
    assert sorted(mail["Subject"] for mail in found) == sorted(f"Your MP3 is ready: {name}" for name in names)
    assert sorted(job["filename"] for job in rows(audiolift, query, user.email)) == sorted(names)
    for mail in found:
        check_sound(audiolift, mail)
    check_no_waste(audiolift)


def check_sound(audiolift: Audiolift, mail: EmailMessage) -> None:
    """Fail unless what a mail links to decodes from its beginning to its end."""
    (link,) = (line for line in plain(mail).splitlines() if "/v1/files/" in line)
    audio = httpx.get(audiolift.url + urlsplit(link).path, timeout=PATIENCE).raise_for_status().content
    command = [media.ffmpeg(), "-v", "error", "-xerror", "-i", "pipe:0", "-f", "null", "-"]
    assert subprocess.run(command, input=audio, check=True, capture_output=True).stderr == b""


def check_no_waste(audiolift: Audiolift) -> None:
    """Fail unless sweep, later, takes every blob but the MP3s of done jobs."""
    for name in blobs(audiolift):
        os.utime(audiolift.data / "blobs" / name, (0, 0))
    run_inside(audiolift, "from functions.sweep import files; files.forget_unfinished(); files.delete_orphans()")
    assert blobs(audiolift) == {job["audio"] for job in rows(audiolift, "SELECT * FROM jobs")}
