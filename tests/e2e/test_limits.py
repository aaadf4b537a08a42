"""What keeps one from having everything: limits, quotas and turns, as somebody at the gateway sees them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests import media
from tests.e2e.inside import check_problem, rows
from tests.patience import PATIENCE
from tests.system import Audiolift, User

MANY, AT_ONCE = 40, 20


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """audiolift with the limits that it has by default, and small quotas."""
    quotas = {"MAX_USER_JOBS": "2", "MAX_USER_BYTES": "3000000"}
    running = Audiolift(tmp_path_factory.mktemp("limited") / "data", {"RATE_LIMITS": "{}", **quotas})
    yield running
    running.stop()


def test_sixty_wrong_passwords_are_not_answered_whatever_headers_they_have(limited: Audiolift) -> None:
    limited.user()
    form = {"grant_type": "password", "username": "somebody@example.com", "password": "wrong"}
    with httpx.Client(base_url=limited.url, timeout=PATIENCE) as client:
        said = []
        for n in range(60):
            forged = {
                "X-Forwarded-For": f"203.0.113.{n}",
                "Forwarded": f"for=203.0.113.{n}",
                "X-Real-IP": f"10.0.0.{n}",
            }
            said.append(client.post("/v1/token", data=form, headers=forged))
    found = Counter(response.status_code for response in said)
    # One window may end, and another begin, on the way.
    assert found[401] <= 40
    assert found[401] + found[429] == 60
    # After ten, login itself has whoever guesses wait; that is another 429.
    refused = next(each for each in said if each.status_code == 429 and each.json()["code"] == "too-many-requests")
    problem = check_problem(refused, 429, "too-many-requests")
    assert problem["violated-policies"] == ["sign-in"]
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert '"sign-in";r=0;t=' in refused.headers["RateLimit"]
    assert '"sign-in";q=20;w=60' in refused.headers["RateLimit-Policy"]
    # The page and what needs no password go on.
    assert httpx.get(f"{limited.url}/", timeout=PATIENCE).status_code == 200


def test_what_is_over_quota_is_refused_and_shown(limited: Audiolift, video: Path) -> None:
    time.sleep(61 - time.time() % 60)
    user = limited.user()
    refused = user.http.post("/v1/jobs", headers={"Content-Type": "video/mp4"}, content=b"x" * 3_000_001)
    problem = check_problem(refused, 403, "quota-exceeded")
    assert (problem["quota"], problem["limit"], problem["used"]) == ("stored_bytes", 3_000_000, 3_000_001)
    job = user.convert(video)
    me = user.http.get("/v1/me").json()
    assert me["quotas"] == {"jobs": 2, "stored_bytes": 3_000_000, "minutes_a_day": None}
    assert me["usage"]["jobs"] == 0
    assert me["usage"]["stored_bytes"] == job["size_bytes"]
    assert me["usage"]["minutes_a_day"] == pytest.approx(job["duration_seconds"] / 60, abs=0.001)
    user.http.delete(f"/v1/jobs/{job['id']}")
    assert user.http.get("/v1/me").json()["usage"]["stored_bytes"] == 0


def test_ones_clip_is_done_after_a_few_of_anothers_many(audiolift: Audiolift, tmp_path: Path) -> None:
    clip = media.make(tmp_path / "mp4-aac.mp4")
    many, one = audiolift.user(), audiolift.user()
    with ThreadPoolExecutor(8) as uploads:
        waiting = [job["id"] for job in uploads.map(lambda _: many.upload(clip), range(MANY))]
    mine = one.convert(clip)
    assert mine["state"] == "done"
    for job in waiting:
        assert many.wait(job)["state"] == "done"
    order = [
        (row["job_id"], row["state"]) for row in rows(audiolift, "SELECT job_id, state FROM job_events ORDER BY id")
    ]
    came, went = order.index((mine["id"], "queued")), order.index((mine["id"], "done"))
    others = [place for place, (job, state) in enumerate(order) if job in waiting and state == "done"]
    # Two convert at a time: those that are running when it comes end first, and some beside it.
    assert sum(came < place < went for place in others) <= 6
    assert sum(place > went for place in others) >= 2, "nothing was waiting any more: the test says nothing"


def test_at_five_times_what_may_wait_uploads_are_refused_early_and_all_that_were_taken_are_done(tmp_path: Path) -> None:
    """And more are taken afterwards, without help."""
    clip = media.make(tmp_path / "mp4-aac.mp4")
    crowded = Audiolift(tmp_path / "data", {"MAX_QUEUED_JOBS": str(AT_ONCE)})
    try:
        many = [crowded.user() for _ in range(2)]
        with ThreadPoolExecutor(8) as uploads:
            said = list(uploads.map(lambda n: (many[n % 2], offer(many[n % 2], clip)), range(5 * AT_ONCE)))
        taken = [(user, answer.json()["id"]) for user, answer in said if answer.status_code == 202]
        refused = [answer for _, answer in said if answer.status_code != 202]
        assert len(taken) >= AT_ONCE
        assert len(refused) >= AT_ONCE
        for answer in refused:
            check_problem(answer, 503, "too-busy")
            assert int(answer.headers["Retry-After"]) > 0
        states = rows(crowded, "SELECT count(*) FROM jobs")
        assert states[0][0] == len(taken), "what was refused has left something"
        assert {user.wait(job)["state"] for user, job in taken} == {"done"}
        assert many[0].convert(clip)["state"] == "done"
    finally:
        crowded.stop()


def offer(user: User, clip: Path) -> httpx.Response:
    return user.http.post("/v1/jobs", headers={"Content-Type": "video/mp4"}, content=clip.read_bytes())
