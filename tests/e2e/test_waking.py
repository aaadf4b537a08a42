"""What a request will lead to starts while the request is still under way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.inside import function_processes, tree
from tests.patience import PATIENCE, eventually
from tests.system import Audiolift


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Audiolift]:
    """audiolift of which nothing runs."""
    running = Audiolift(tmp_path / "data")
    yield running
    running.stop()


def test_convert_starts_while_the_video_is_still_coming_in(cold: Audiolift, video: Path) -> None:
    user, seen = cold.user(), []

    def body() -> Iterator[bytes]:
        yield video.read_bytes()[:1000]
        eventually(lambda: any("convert: process 1" in line for line in cold.output), "convert is ready")
        seen.extend(function_processes(cold, "convert"))
        eventually(lambda: any(map(is_warm_engine, tree(seen[0]))), "its engine is warm")
        yield video.read_bytes()[1000:]

    headers = {"Content-Type": "video/mp4"}
    answer = user.http.post("/v1/jobs", content=body(), headers=headers)
    assert len(seen) == 1
    assert user.wait(answer.raise_for_status().json()["id"])["state"] == "done"


def is_warm_engine(pid: int) -> bool:
    """Whether conversions are forked from this process."""
    return b"sandbox.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_download_starts_while_somebody_signs_in_and_upload_while_they_look_at_their_jobs(cold: Audiolift) -> None:
    user = cold.user()
    eventually(lambda: function_processes(cold, "download"), "download starts")
    user.http.get("/v1/jobs").raise_for_status()
    eventually(lambda: function_processes(cold, "upload"), "upload starts")


def test_whoever_has_no_token_wakes_neither_upload_nor_convert(cold: Audiolift) -> None:
    for headers in ({}, {"Authorization": "Bearer a.b.c"}):
        typed = {"Content-Type": "video/mp4", **headers}
        answer = httpx.post(f"{cold.url}/v1/jobs", content=b"no video", headers=typed, timeout=PATIENCE)
        assert answer.status_code == 401
    # Looking at jobs wakes upload after it, and so tells that there was time for it.
    cold.user().http.get("/v1/jobs").raise_for_status()
    eventually(lambda: function_processes(cold, "upload"), "upload starts")
    assert function_processes(cold, "convert") == []
