"""A browser's own reader of streams (EventSource, WHATWG HTML, section 9.2) through the gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.patience import eventually
from tests.system import Audiolift

FOLLOW = """() => {
  window.seen = [];
  window.opened = 0;
  const source = new EventSource("/v1/jobs/events");
  source.onopen = () => { window.opened += 1; };
  source.addEventListener("job", (event) => window.seen.push({ id: event.lastEventId, ...JSON.parse(event.data) }));
}"""
SEEN = "(state) => window.seen.some((job) => job.state === state)"


def test_it_follows_all_jobs_of_who_is_signed_in(
    open_page: Callable[..., Page], audiolift: Audiolift, long_audio: Path
) -> None:
    """It sends no Authorization by itself: the browser's profile does, as an extension or a proxy would."""
    user = audiolift.user()
    page = open_page(extra_http_headers={"Authorization": user.http.headers["Authorization"]})
    page.evaluate(FOLLOW)
    # Polled from here: the page's policy lets no text become code in it.
    eventually(lambda: page.evaluate("window.opened === 1"), "the stream")
    job = user.upload(long_audio)["id"]
    eventually(lambda: page.evaluate(SEEN, "converting"), "the conversion")
    user.http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    eventually(lambda: page.evaluate(SEEN, "cancelled"), "the end")
    states = page.evaluate("window.seen.map((job) => job.state)")
    order = ["receiving", "queued", "converting", "cancelled"]
    assert sorted(states, key=order.index) == states
