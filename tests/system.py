"""audiolift as its users have it: the local runner in a process of its own, and clients that talk HTTP to it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from functions.gateway.limits.policies import POLICIES
from tests.patience import PATIENCE

__all__ = ["NO_LIMITS", "OVERLAY", "Audiolift", "User"]

ROOT = Path(__file__).resolve().parents[1]
OVERLAY = ROOT / "tests" / "overlay"
# A token outlasts the tests, on a slow machine too; what becomes of one that is over, tests of tokens say.
# All tests come from one address: what limits do, tests of limits say.
NO_LIMITS = json.dumps({policy.name: "0" for policy in POLICIES})
SETTINGS = {"ACCESS_TOKEN_SECONDS": "86400", "RATE_LIMITS": NO_LIMITS}
PASSWORD = "correct horse battery staple"


class Audiolift:
    """The local runner on a free port, over a data directory. `url` is the gateway's; `output` what the runner said."""

    def __init__(
        self,
        data: Path,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        overlay: Path = OVERLAY,
        root: Path = ROOT,
    ) -> None:
        self.data = data
        self._root = root
        self._arguments = [str(overlay), *arguments]
        self.output: list[str] = []
        self._users: list[User] = []
        self._environment = {**os.environ, **SETTINGS, **(environment or {})}
        self.start()

    def start(self) -> None:
        """Start the runner (again), and wait until it says where it is."""
        command = [sys.executable, "-m", "knative.local", "--port", "0", "--data", str(self.data), *self._arguments]
        self.process = subprocess.Popen(
            command, cwd=self._root, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        ready: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, ready), daemon=True).start()
        self.url = ready.get(timeout=PATIENCE)
        assert self.url, "\n".join(self.output)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End the runner and wait for it; its users are gone with it."""
        while self._users:
            self._users.pop().http.close()
        self.process.send_signal(with_signal)
        self.process.wait(PATIENCE)

    def user(self) -> User:
        """Somebody who has just registered and signed in."""
        self._users.append(User(self.url))
        return self._users[-1]

    def _listen(self, process: subprocess.Popen[str], ready: queue.Queue[str]) -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                self.output.append(line.rstrip())
                if "is ready at " in line:
                    ready.put(line.rsplit(" ", 1)[1].strip())
        ready.put("")


class User:
    """A client with an account of its own. `http` sends its token along, over `transport` where DNS leads nowhere."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None, email: str | None = None) -> None:
        self.email = email or f"{uuid.uuid4().hex}@example.com"
        self.http = httpx.Client(base_url=url, timeout=PATIENCE, transport=transport)
        self.http.post("/v1/users", json={"email": self.email, "password": PASSWORD}).raise_for_status()
        self.tokens = self.sign_in()
        self.http.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"

    def sign_in(self) -> dict[str, Any]:
        """A token response for this account."""
        form = {"grant_type": "password", "username": self.email, "password": PASSWORD}
        return self._json(self.http.post("/v1/token", data=form))

    def upload(self, video: Path, **options: Any) -> dict[str, Any]:
        """Upload a video as the body. Returns: the job."""
        query = {"filename": video.name, **options}
        headers = {"Content-Type": "video/mp4"}
        with video.open("rb") as file:
            return self._json(self.http.post("/v1/jobs", params=query, content=file, headers=headers))

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is now."""
        return self._json(self.http.get(f"/v1/jobs/{job_id}"))

    def wait(self, job_id: str, *states: str) -> dict[str, Any]:
        """The job, once it is in one of the states (done, failed, cancelled or expired unless said)."""
        ends = time.monotonic() + PATIENCE
        wanted = states or ("done", "failed", "cancelled", "expired")
        while (job := self.job(job_id))["state"] not in wanted:
            assert time.monotonic() < ends, f"the job stays {job['state']}"
            time.sleep(0.2)
        return job

    def convert(self, video: Path, **options: Any) -> dict[str, Any]:
        """Upload a video, and wait for its job to end. Returns: the job."""
        return self.wait(self.upload(video, **options)["id"])

    def audio(self, job: Mapping[str, Any]) -> bytes:
        """The MP3 of a finished job."""
        return self.http.get(job["links"]["audio"]).raise_for_status().content

    def mails(self) -> list[dict[str, Any]]:
        """The mails this user got, newest first."""
        items: list[dict[str, Any]] = self._json(self.http.get("/v1/me/mail"))["items"]
        return items

    def wait_for_mails(self, count: int) -> list[dict[str, Any]]:
        """The mails, once there are as many."""
        ends = time.monotonic() + PATIENCE
        while len(mails := self.mails()) < count:
            assert time.monotonic() < ends, f"{len(mails)} mails of {count}"
            time.sleep(0.2)
        return mails

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, response.text
        value: dict[str, Any] = response.json()
        return value
