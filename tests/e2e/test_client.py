"""The command `audiolift`, as people have it at a terminal: against audiolift, over good and bad networks."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from tests import media
from tests.cutting import CuttingProxy
from tests.patience import PATIENCE, eventually
from tests.system import PASSWORD, Audiolift, User

H264 = ["-c:v", "libx264", "-b:v", "2M", "-c:a", "aac"]


class Terminal:
    """Runs the command with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "AUDIOLIFT"))}
        self.environment = {**kept, "HOME": str(home), "COLUMNS": "100"}

    def start(self, *words: object, **also: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "knative.client.main", *map(str, words)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environment | also, text=True, **pipes)

    def run(self, *words: object, typed: str = "", **also: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **also) as process:
            out, err = process.communicate(typed, timeout=PATIENCE)
        return subprocess.CompletedProcess([*map(str, words)], process.returncode, out, err)

    def login(self, url: str, user: User) -> None:
        done = self.run("--url", url, "login", "--email", user.email, typed=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    (tmp_path / "home").mkdir()
    return Terminal(tmp_path / "home")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.chirp(tmp_path_factory.mktemp("talk") / "talk 1.mp4", *H264, seconds=20)


def test_a_person_signs_in_converts_and_signs_out(
    audiolift: Audiolift, user: User, terminal: Terminal, talk: Path, tmp_path: Path
) -> None:
    terminal.login(audiolift.url, user)

    done = terminal.run("convert", talk, "--out", tmp_path / "out", "-o", "quality=5")

    assert (done.returncode, done.stderr) == (0, "")
    mp3 = tmp_path / "out" / "talk 1.mp3"
    assert done.stdout == f"{talk} → {mp3}\n"
    (job,) = user.http.get("/v1/jobs").json()["items"]
    assert (job["filename"], job["options"]) == ("talk 1.mp4", {"quality": 5})
    assert mp3.read_bytes() == user.audio(job)
    # What is over is forgotten; and who signs out, is out.
    assert not list((terminal.home / ".local/state/audiolift/conversions").iterdir())
    assert terminal.run("logout").returncode == 0
    refused = terminal.run("jobs")
    assert (refused.returncode, refused.stderr) == (3, "audiolift: Sign in first: audiolift login\n")


def test_only_the_sound_is_sent_and_the_mp3_is_the_same(
    audiolift: Audiolift, user: User, terminal: Terminal, talk: Path, tmp_path: Path
) -> None:
    sizes = {}
    with CuttingProxy(audiolift.url, 0, (1, 1), seed=1) as network:
        terminal.login(network.url, user)
        for name, words in (("sound", ()), ("whole", ("--whole",))):
            before = network.sent
            assert terminal.run("convert", talk, "--out", tmp_path / name, *words).returncode == 0
            sizes[name] = network.sent - before

    assert (tmp_path / "sound/talk 1.mp3").read_bytes() == (tmp_path / "whole/talk 1.mp3").read_bytes()
    assert sizes["whole"] > talk.stat().st_size
    # … and what else is said in HTTP.
    assert sizes["sound"] < 1.05 * sound_bytes(talk) + 20_000


def sound_bytes(video: Path) -> int:
    """How much sound is in a video, as it lies there."""
    with av.open(str(video)) as container:
        return sum(packet.size for packet in container.demux(container.streams.audio[0]))


def test_a_network_that_is_cut_costs_no_byte_that_arrived(
    audiolift: Audiolift, user: User, terminal: Terminal, talk: Path, tmp_path: Path
) -> None:
    # Larger than any request but those that bring the video.
    with CuttingProxy(audiolift.url, 6, (30_000, 400_000), seed=1) as network:
        terminal.login(network.url, user)
        done = terminal.run("convert", talk, "--out", tmp_path, "--whole", "--json")
        assert network.cut == 6
        assert network.sent < 2 * talk.stat().st_size

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mp3"] == str(tmp_path / "talk 1.mp3")
    assert len(user.http.get("/v1/jobs").json()["items"]) == 1


def test_after_ctrl_c_the_same_command_goes_on(
    audiolift: Audiolift, user: User, terminal: Terminal, tmp_path: Path
) -> None:
    video = media.chirp(tmp_path / "long.mp4", *H264, seconds=60)
    terminal.login(audiolift.url, user)
    words = ("convert", video, "--whole")

    with terminal.start(*words) as process:
        eventually(lambda: user.http.get("/v1/jobs").json()["items"], "a job")
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.strip()) == (130, "Stopped. The same command goes on where it was.")
    assert not video.with_suffix(".mp3").exists()

    assert terminal.run(*words).returncode == 0
    (job,) = user.http.get("/v1/jobs").json()["items"]
    assert job["state"] == "done"


def test_a_video_that_changed_is_sent_anew(
    audiolift: Audiolift, user: User, terminal: Terminal, tmp_path: Path
) -> None:
    video = media.chirp(tmp_path / "draft.mp4", *H264, seconds=10)
    terminal.login(audiolift.url, user)
    with terminal.start("convert", video, "--whole") as process:
        eventually(lambda: user.http.get("/v1/jobs").json()["items"], "a job")
        process.kill()
    media.chirp(video, *H264, seconds=12)

    assert terminal.run("convert", video, "--whole").returncode == 0
    done = [job for job in user.http.get("/v1/jobs").json()["items"] if job["state"] == "done"]
    assert max(job["duration_seconds"] for job in done) == pytest.approx(12, abs=0.1)


def test_each_video_has_its_own_end(
    audiolift: Audiolift, user: User, terminal: Terminal, talk: Path, empty: Path, tmp_path: Path
) -> None:
    terminal.login(audiolift.url, user)

    done = terminal.run("convert", talk, empty, "--out", tmp_path, "--json")

    assert done.returncode == 1
    ended = {Path(each["video"]): each for each in map(json.loads, done.stdout.splitlines())}
    assert ended[talk]["mp3"] == str(tmp_path / "talk 1.mp3")
    assert ended[empty]["mp3"] is None
    assert ended[empty]["text"].startswith("The file is empty")


def test_what_is_there_is_neither_replaced_nor_sent(
    audiolift: Audiolift, user: User, terminal: Terminal, talk: Path, tmp_path: Path
) -> None:
    terminal.login(audiolift.url, user)
    mp3 = tmp_path / "talk 1.mp3"
    mp3.write_bytes(b"mine")

    done = terminal.run("convert", talk, "--out", tmp_path)

    assert (done.returncode, done.stdout) == (0, f"{talk} → {mp3} (It was there already.)\n")
    assert mp3.read_bytes() == b"mine"
    assert user.http.get("/v1/jobs").json()["items"] == []


def test_two_videos_cannot_become_one_mp3(user: User, audiolift: Audiolift, terminal: Terminal, tmp_path: Path) -> None:
    terminal.login(audiolift.url, user)
    for name in ("a.mp4", "a.mkv"):
        (tmp_path / name).touch()

    done = terminal.run("convert", tmp_path / "a.mp4", tmp_path / "a.mkv")

    assert done.returncode == 1
    assert "would both become" in done.stderr


def test_options_are_refused_by_name(audiolift: Audiolift, user: User, terminal: Terminal, talk: Path) -> None:
    terminal.login(audiolift.url, user)

    refused = terminal.run("convert", talk, "-o", "loudnes=-16")

    assert refused.returncode == 1
    assert "loudnes" in refused.stdout
    for wrong in (["-o", "loudness"], ["-o", "quality=1", "-o", "quality=2"]):
        assert terminal.run("convert", talk, *wrong).returncode == 2
    assert not list(terminal.home.rglob("sound.*")), "what was taken out for a conversion that nobody comes back to"


def test_an_api_key_does_instead(
    audiolift: Audiolift, user: User, terminal: Terminal, talk: Path, tmp_path: Path
) -> None:
    terminal.login(audiolift.url, user)
    key = terminal.run("keys", "make", "laptop", "--days", "30").stdout.strip()
    assert "laptop" in terminal.run("keys", "list").stdout
    assert terminal.run("logout").returncode == 0

    known = {"AUDIOLIFT_URL": audiolift.url, "AUDIOLIFT_API_KEY": key}
    assert terminal.run("convert", talk, "--out", tmp_path, **known).returncode == 0
    assert terminal.run("--url", audiolift.url, "login", "--with-api-key", typed=f"{key}\n").returncode == 0
    listed = terminal.run("jobs", "--json")
    (job,) = map(json.loads, listed.stdout.splitlines())
    assert job["state"] == "done"
    # Without an address it is the one that was signed in to last.
    assert terminal.run("jobs", AUDIOLIFT_API_KEY=key).returncode == 0
    assert terminal.run("login", "--with-api-key", typed=f"{key}\n").stderr == f"Signed in at {audiolift.url}.\n"
    assert terminal.run("watch", job["id"]).stdout.split()[:2] == [job["id"], "done"]

    (made,) = user.http.get("/v1/api-keys").json()["items"]
    user.http.delete(f"/v1/api-keys/{made['id']}").raise_for_status()
    assert terminal.run("jobs").returncode == 3


def test_what_signs_in_is_for_its_owner_only(audiolift: Audiolift, user: User, terminal: Terminal) -> None:
    terminal.login(audiolift.url, user)

    (kept,) = terminal.home.rglob("credentials.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PASSWORD not in kept.read_text(encoding="utf-8")


def test_a_token_that_is_over_is_renewed_once_by_all(audiolift: Audiolift, user: User, terminal: Terminal) -> None:
    terminal.login(audiolift.url, user)
    (kept,) = terminal.home.rglob("credentials.json")
    (known,) = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps([known | {"access_token": "x.y.z"}]), encoding="utf-8")

    started = [terminal.start("jobs") for _ in range(4)]
    for process in started:
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert process.returncode == 0
    # A refresh token that is sent twice would have ended the session.
    assert terminal.run("jobs").returncode == 0
    (renewed,) = json.loads(kept.read_text(encoding="utf-8"))
    assert renewed["refresh_token"] != known["refresh_token"]


def test_wrong_passwords_and_wrong_places_are_told_apart(audiolift: Audiolift, user: User, terminal: Terminal) -> None:
    wrong = terminal.run("--url", audiolift.url, "login", "--email", user.email, typed="wrong\n")
    nowhere = terminal.run("--url", "http://127.0.0.1:9", "login", "--email", user.email, typed="wrong\n")

    assert wrong.returncode in (1, 3)
    assert "password" in wrong.stderr
    assert (nowhere.returncode, "cannot be reached" in nowhere.stderr) == (4, True)
    away = terminal.run("--url", "http://127.0.0.1:9", "--api-key", "x", "--patience", "2", "jobs")
    assert (away.returncode, away.stderr.count("Trying again for up to 2 s.")) == (4, 1)
    for unusable in ("localhost:8080", "ftp://localhost", "http://[::1"):
        assert terminal.run("--url", unusable, "jobs").returncode == 2
