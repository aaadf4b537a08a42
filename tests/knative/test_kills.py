"""Kills, outages and drains of every part while jobs flow: each job ends done, and its owner gets one mail."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import media
from tests.e2e.inside import engines
from tests.knative.checks import check_told_once, jobs, names, told, upload_all
from tests.knative.network import Program
from tests.knative.plane import Plane
from tests.patience import eventually
from tests.system import User

JOBS = 12
DOWN_SECONDS = 4


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of sound."""
    return media.make(tmp_path_factory.mktemp("media") / "audio-only.ogg")


def ingress(plane: Plane) -> Program:
    return plane.ingress


def dispatcher_of_uploads(plane: Plane) -> Program:
    return plane.eventing.dispatchers["video-uploaded"]


def dispatcher_of_mp3s(plane: Plane) -> Program:
    return plane.eventing.dispatchers["audio-created"]


@pytest.mark.parametrize("victim", [ingress, dispatcher_of_uploads, dispatcher_of_mp3s])
def test_jobs_survive_the_death_of(plane: Plane, user: User, sound: Path, victim: Callable[[Plane], Program]) -> None:
    titles = names(JOBS)
    upload_all(user, sound, titles[: JOBS // 2])
    victim(plane).kill()
    upload_all(user, sound, titles[JOBS // 2 :])
    time.sleep(DOWN_SECONDS)
    victim(plane).start()
    check_told_once(plane, user.email, titles)


def test_jobs_survive_that_rabbitmq_is_stopped_and_started(plane: Plane, user: User, sound: Path) -> None:
    titles = names(JOBS)
    upload_all(user, sound, titles[: JOBS // 2])
    plane.rabbitmq.stop()
    try:
        upload_all(user, sound, titles[JOBS // 2 :])
    finally:
        plane.rabbitmq.start()
    check_told_once(plane, user.email, titles)


@pytest.mark.parametrize("name", ["convert", "upload", "notify", "download", "login", "gateway", "sweep"])
def test_jobs_survive_that_a_function_is_killed(plane: Plane, user: User, sound: Path, name: str) -> None:
    """Not while notify hands over a mail: by SMTP, one that was just handed over may go out again."""
    titles = names(JOBS)
    upload_all(user, sound, titles)
    plane.pods[name].kill()
    plane.pods[name].wait()
    check_told_once(plane, user.email, titles)


def test_a_conversion_that_is_killed_in_the_middle_is_done_by_another_delivery(
    plane: Plane, user: User, long_audio: Path
) -> None:
    (title,) = names(1)
    job_id = user.upload(long_audio, filename=title)["id"]
    user.wait(job_id, "converting")
    plane.pods["convert"].kill()
    check_told_once(plane, user.email, [title])
    assert token(plane, title) == 2


def test_a_dispatcher_that_is_killed_in_mid_delivery_delivers_again(plane: Plane, user: User, long_audio: Path) -> None:
    (title,) = names(1)
    user.wait(user.upload(long_audio, filename=title)["id"], "converting")
    dispatcher_of_uploads(plane).kill()
    dispatcher_of_uploads(plane).start()
    check_told_once(plane, user.email, [title])


def test_events_that_a_stopped_dispatcher_had_fetched_are_not_lost(plane: Plane, user: User, sound: Path) -> None:
    """It sends what it has not delivered to the dead letters."""
    titles = names(JOBS)
    with plane.pods["convert"].function.frozen():
        upload_all(user, sound, titles)
        dispatcher_of_uploads(plane).send(signal.SIGTERM)
        dispatcher_of_uploads(plane).wait()
    dispatcher_of_uploads(plane).start()
    check_told_once(plane, user.email, titles)


@pytest.mark.parametrize("name", ["gateway", "upload"])
def test_an_upload_under_way_outlasts_the_end_of_its_pod(plane: Plane, user: User, sound: Path, name: str) -> None:
    (title,) = names(1)
    begun, told_to_end = threading.Event(), threading.Event()

    def body() -> Iterator[bytes]:
        data = sound.read_bytes()
        yield data[: len(data) // 2]
        begun.set()
        assert told_to_end.wait(300)
        yield data[len(data) // 2 :]

    with ThreadPoolExecutor(1) as pool:
        query, headers = {"filename": title}, {"Content-Type": "audio/ogg"}
        answer = pool.submit(user.http.post, "/v1/jobs", params=query, content=body(), headers=headers)
        try:
            assert begun.wait(60)
            old = plane.replace(name)
            assert old
            old.begin_to_end()
        finally:
            told_to_end.set()
        assert answer.result().status_code == 202, answer.result().text
    old.end()
    check_told_once(plane, user.email, [title])


def test_a_conversion_under_way_outlasts_the_end_of_its_pod(plane: Plane, user: User, long_audio: Path) -> None:
    (title,) = names(1)
    user.wait(user.upload(long_audio, filename=title)["id"], "converting")
    with held_up(plane):
        old = plane.replace("convert")
        assert old
        old.begin_to_end()
        assert [job["state"] for job in jobs(plane, [title])] == ["converting"]
    old.end()
    check_told_once(plane, user.email, [title])
    assert token(plane, title) == 1


def test_events_of_a_job_go_on_with_another_pod_when_the_first_ends(plane: Plane, user: User, long_audio: Path) -> None:
    job_id = user.upload(long_audio)["id"]
    user.wait(job_id, "converting")
    link = f"/v1/jobs/{job_id}/events"
    with held_up(plane), ThreadPoolExecutor(1) as pool, user.http.stream("GET", link) as stream:
        lines = pool.submit(list, stream.iter_lines())
        old = plane.replace("download")
        assert old
        old.begin_to_end()
        assert user.job(job_id)["state"] == "converting"
        seen = [line.removeprefix("id: ") for line in lines.result() if line.startswith("id: ")]
    old.end()
    again = user.http.get(link, headers={"Last-Event-ID": seen[-1]})
    *_, last = told(again.text.splitlines())
    assert last["state"] == "done"


@contextmanager
def held_up(plane: Plane) -> Iterator[None]:
    """The conversion under way goes on only afterwards: it takes longer than queue-proxy waits for a last request."""
    (child,) = eventually(lambda: engines(plane.pods["convert"].function.pid), "an engine at work")
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)


def token(plane: Plane, title: str) -> int:
    """How often the job was claimed."""
    (job,) = jobs(plane, [title])
    return int(job["fencing_token"])
