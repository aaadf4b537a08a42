"""The whole way of a user and of another system, through ingress, dispatchers, adapter and queue-proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import media
from tests.e2e.inside import eventually
from tests.knative.plane import Plane


def test_who_registers_and_uploads_by_the_public_name_gets_mail_and_the_mp3(plane: Plane, video: Path) -> None:
    user = plane.user()
    job = user.wait(user.upload(video)["id"])
    assert job["state"] == "done", job["error"]
    assert media.tone(user.audio(job)) == pytest.approx(440, abs=2)
    (mail,) = eventually(lambda: plane.mailbox.of(user.email), "a mail")
    assert mail["Subject"] == f"Your MP3 is ready: {video.name}"
