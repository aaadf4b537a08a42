"""`make demo` as a person runs it: real processes, real media, and what is on the terminal at the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import mutagen.mp3
import pytest

from knative.local import demo, demo_video
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
MADE_SECONDS = demo_video.SECONDS


def test_it_makes_a_video_and_then_its_mp3_any_number_of_times(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert first.returncode == 0, first.stdout
    assert re.search(r"made demo.mp4.* s$", first.stdout, re.MULTILINE)
    assert re.search(r"^  done +100%$", first.stdout, re.MULTILINE)
    assert re.search(r"To: demo-\w+@example.com\s.*Subject: \S", first.stdout, re.DOTALL)
    assert re.search(r"^demo.mp3: 0:00:40, \d+ kbit/s, [\d.]+ MB$", first.stdout, re.MULTILINE)
    assert mutagen.mp3.MP3(tmp_path / "demo.mp3").info.length == pytest.approx(MADE_SECONDS, abs=0.2)
    assert processes_that_mention(tmp_path) == []
    assert files_in(tmp_path / "data" / "demo" / "blobs") == []

    second = run(tmp_path)
    assert second.returncode == 0, second.stdout
    assert "made demo.mp4" not in second.stdout


def test_the_mp3_goes_beside_the_video_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "Ferien '26"
    folder.mkdir()
    demo_video.make(folder / "Übung am Strand.mp4")
    (folder / "Übung am Strand.mp3").write_text("somebody's own")
    done = run(tmp_path, str(folder / "Übung am Strand.mp4"))
    assert done.returncode == 0, done.stdout
    assert (folder / "Übung am Strand.mp3").read_text() == "somebody's own"
    made = mutagen.mp3.MP3(folder / "Übung am Strand-1.mp3")
    assert made.info.length == pytest.approx(MADE_SECONDS, abs=0.2)


def test_a_file_that_is_no_video_ends_with_the_jobs_reason(tmp_path: Path) -> None:
    (tmp_path / "letter.mp4").write_text("Dear Anna,\n" * 1000)
    done = run(tmp_path, "letter.mp4")
    assert done.returncode == 1
    assert "letter.mp4 was not converted: The file is not a video or audio file (not-media)." in done.stdout
    assert "Traceback" not in done.stdout
    assert processes_that_mention(tmp_path) == []


def test_a_video_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "holiday.mp4")
    assert done.returncode == 1
    assert f"there is no file {tmp_path / 'holiday.mp4'}" in done.stdout


def test_ctrl_c_ends_it_quietly_and_every_process_with_it(tmp_path: Path) -> None:
    with start(tmp_path) as running:
        assert running.stdout
        said = ""
        for line in running.stdout:
            said += line
            if line.startswith("registered"):
                os.killpg(running.pid, signal.SIGINT)
    assert running.returncode == 130
    assert said.endswith("stopped.\n")
    assert "Traceback" not in said
    assert processes_that_mention(tmp_path) == []


def test_the_same_mp3_is_placed_once_and_another_one_beside_it(tmp_path: Path) -> None:
    names = [place(tmp_path, content).name for content in (b"one", b"one", b"two", b"one", b"two", b"three")]
    assert names == ["a.mp3", "a.mp3", "a-1.mp3", "a.mp3", "a-1.mp3", "a-2.mp3"]


def place(folder: Path, content: bytes) -> Path:
    fetched = folder / "fetched"
    fetched.write_bytes(content)
    return demo._place(fetched, folder / "a.mp4")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with start(folder, *arguments) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, said)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demo in a folder of its own, in a process group as from a shell, both streams in one pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "knative.local.demo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def processes_that_mention(folder: Path) -> list[str]:
    """The command lines of processes whose environment names the folder, as that of each function does."""
    needle = os.fsencode(folder)
    return [command(entry) for entry in Path("/proc").glob("[0-9]*") if needle in read(entry / "environ")]


def command(entry: Path) -> str:
    return read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace")


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
