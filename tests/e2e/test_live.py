"""Live status and links through the gateway, by the clients that people have: curl, and programs over HTTP."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.inside import check_problem
from tests.patience import PATIENCE
from tests.system import Audiolift, User

# What browsers send when somebody follows a link.
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def curl(user: User, audiolift: Audiolift, path: str, *more: str) -> subprocess.Popen[str]:
    bearer = f"Authorization: {user.http.headers['Authorization']}"
    command = ["curl", "-sSN", "--max-time", str(PATIENCE), "-H", bearer, *more, f"{audiolift.url}{path}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_curl_sees_all_jobs_of_one_user_as_they_change(user: User, audiolift: Audiolift, long_audio: Path) -> None:
    with curl(user, audiolift, "/v1/jobs/events") as stream:
        assert stream.stdout
        first = user.upload(long_audio)["id"]
        second = user.upload(long_audio)["id"]
        user.http.post(f"/v1/jobs/{second}/cancel").raise_for_status()
        user.http.post(f"/v1/jobs/{first}/cancel").raise_for_status()
        states: dict[str, list[str]] = {}
        for line in stream.stdout:
            if line.startswith("data: "):
                job = json.loads(line.removeprefix("data: "))
                states.setdefault(job["id"], []).append(job["state"])
                if [each[-1] for each in states.values()] == ["cancelled"] * 2:
                    break
        stream.terminate()
    assert set(states) == {first, second}


def test_curl_waits_for_the_next_state(user: User, audiolift: Audiolift, long_audio: Path) -> None:
    job = user.upload(long_audio)["id"]
    user.wait(job, "converting")
    with curl(user, audiolift, f"/v1/jobs/{job}", "-i", "-H", "Prefer: wait=50") as waiting:
        time.sleep(0.5)
        began = time.monotonic()
        user.http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        head, _, body = waiting.communicate()[0].partition("\n\n")
    assert time.monotonic() - began < 25
    assert "preference-applied: wait=50" in head.lower()
    assert json.loads(body)["state"] == "cancelled"


def test_a_link_works_for_get_and_head_alone_until_it_is_revoked(
    audiolift: Audiolift, owner: User, done: dict[str, Any]
) -> None:
    links = f"/v1/jobs/{done['id']}/links"
    made = owner.http.post(links)
    assert made.status_code == 201
    url = made.json()["url"].replace(made.json()["url"].partition("/v1/")[0], audiolift.url)
    with httpx.Client(timeout=PATIENCE) as anybody:
        assert anybody.get(url).headers["Content-Type"] == "audio/mpeg"
        assert anybody.head(url).status_code == 200
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            check_problem(anybody.request(method, url), 405, "method-not-allowed")
        token = {"Authorization": f"Bearer {url.rpartition('/')[2]}"}
        for path in (f"/v1/jobs/{done['id']}/audio", f"/v1/jobs/{done['id']}", links, "/v1/me"):
            check_problem(anybody.get(f"{audiolift.url}{path}", headers=token), 401, "unauthenticated")
        assert [each["id"] for each in owner.http.get(links).json()["items"]] == [made.json()["id"]]
        assert owner.http.delete(f"{links}/{made.json()['id']}").status_code == 204
        check_problem(anybody.get(url), 410, "link-over")
        page = anybody.get(url, headers=BROWSER)
    assert (page.status_code, page.headers["X-Problem"]) == (410, "link-over")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "revoked" in page.text
    assert "Content-Security-Policy" in page.headers


def test_a_link_that_was_altered_is_told_of_by_a_page_through_the_gateway(
    audiolift: Audiolift, done: dict[str, Any]
) -> None:
    url = f"{audiolift.url}{done['links']['download']}"
    for altered in (f"{url[:-3]}AAA", f"{audiolift.url}/v1/files/{uuid.uuid4().hex}"):
        page = httpx.get(altered, headers=BROWSER, timeout=PATIENCE)
        assert (page.status_code, page.headers["X-Problem"]) == (404, "not-found")
        check_problem(httpx.get(altered, timeout=PATIENCE), 404, "not-found")


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00", "tomorrow", 5])
def test_an_end_that_is_none_is_refused(owner: User, done: dict[str, Any], until: object) -> None:
    check_problem(owner.http.post(f"/v1/jobs/{done['id']}/links", json={"expires_at": until}), 400, "bad-request")
