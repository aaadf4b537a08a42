"""What the ffmpeg command can open, and what convert does on a machine that cannot confine it."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from functions.convert import process
from functions.convert.sandbox import landlock
from tests import media as samples
from tests.provision import need
from tests.unit.lacking import ROOT, run_lacking
from tests.unit.python_stand_in import INPUTS, python

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64") or not landlock.is_supported(),
    reason="no filters or no Landlock here",
)

SECRET = "hunter2"
SECRET_HZ = 3000
# What a program does with {path}, which is none of its own.
ATTEMPTS = {
    "read": "open('{path}', 'rb').read()",
    "read by a link": "import os; os.symlink('{path}', 'link'); open('link').read()",
    "read by a hard link": "import os; os.link('{path}', 'link'); open('link').read()",
    "write": "open('{path}', 'r+b').write(b'x')",
    "append": "open('{path}', 'ab').write(b'x')",
    "cut": "import os; os.truncate('{path}', 0)",
    "delete": "import os; os.unlink('{path}')",
    "move": "import os; os.rename('{path}', 'mine')",
    "replace": "import os; open('mine', 'w').close(); os.rename('mine', '{path}')",
    "change the mode": "import os; os.chmod('{path}', 0o777)",
    "change the owner": "import os; os.chown('{path}', os.getuid(), os.getgid())",
    "change the times": "import os; os.utime('{path}')",
    "set an attribute": "import os; os.setxattr('{path}', 'user.x', b'x')",
    "make beside it": "open('{path}.new', 'w')",
    "list beside it": "import os; os.listdir(os.path.dirname('{path}'))",
}
OF_THE_SERVER = {
    "environment": "open('/proc/{server}/environ').read()",
    "memory": "open('/proc/{server}/mem', 'rb').read(1)",
    "command line": "open('/proc/{server}/cmdline').read()",
    "descriptors": "import os; os.listdir('/proc/{server}/fd')",
    "limits": "import resource; resource.prlimit({server}, resource.RLIMIT_NOFILE, (9, 9))",
    "signal": "import ctypes; libc = ctypes.CDLL(None, use_errno=True); from ctypes import c_int, byref; "
    "libc.syscall({sigqueue}, {server}, 10, byref((c_int * 32)(10, 0, -1))); "
    "raise OSError(ctypes.get_errno(), 'x')",
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, {server}, 19)",
}
OF_THE_MACHINE = {
    "own environment": "open('/proc/self/environ').read()",
    "accounts": "open('/etc/passwd').read()",
    "root directory": "import os; os.listdir('/')",
    "temporary directory": "open('/tmp/audiolift-test-leak', 'w')",
    "program": "import os; os.execv('/bin/true', ['true'])",
}


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """The directory that a conversion works in; what lies beside it is none of its business."""
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


@pytest.fixture(params=["on PATH", "carried by imageio-ffmpeg"])
def ffmpeg(request: pytest.FixtureRequest) -> str:
    """Each of the ffmpegs that a conversion may meet."""
    if request.param == "on PATH":
        need("ffmpeg")
        return samples.ffmpeg()
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user with a secret in its environment."""
    environment = {"DATABASE_URL": f"mysql://root:{SECRET}@db"}
    with subprocess.Popen(["/bin/sleep", "600"], env=environment) as running:
        yield running
        assert running.poll() is None
        running.kill()


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_what_runs_in_place_of_ffmpeg_has_no_hold_on_a_file(room: Path, attempt: str) -> None:
    path = room.parent / "key.pem"
    path.write_text(SECRET)
    before = path.stat()
    outcome = process.run(python(attempt.replace("{path}", str(path))), room, soon(), quiet, INPUTS)
    assert outcome.said("PermissionError", "Invalid cross-device link"), outcome
    assert not outcome.said(SECRET)
    assert path.stat() == before
    assert path.read_text() == SECRET
    assert [each.name for each in room.parent.iterdir() if each != room] == ["key.pem"]


@pytest.mark.parametrize("attempt", sorted(ATTEMPTS.keys() - {"set an attribute"}))
def test_all_of_that_works_outside(room: Path, attempt: str) -> None:
    """Else the test above proves nothing. (Some file systems have no attributes.)"""
    path = room.parent / "key.pem"
    path.write_text(SECRET)
    subprocess.run(python(ATTEMPTS[attempt].replace("{path}", str(path))), cwd=room, check=True)


@pytest.mark.parametrize("attempt", OF_THE_SERVER.values(), ids=OF_THE_SERVER)
def test_what_runs_in_place_of_ffmpeg_learns_nothing_of_the_server(
    room: Path, server: subprocess.Popen[bytes], attempt: str
) -> None:
    sigqueue = {"x86_64": 129, "aarch64": 138}[platform.machine()]
    code = attempt.replace("{server}", str(server.pid)).replace("{sigqueue}", str(sigqueue))
    outcome = process.run(python(code), room, soon(), quiet, INPUTS)
    assert outcome.said("PermissionError"), outcome
    assert not outcome.said(SECRET)


@pytest.mark.parametrize("attempt", OF_THE_MACHINE.values(), ids=OF_THE_MACHINE)
def test_what_runs_in_place_of_ffmpeg_sees_nothing_of_the_machine(room: Path, attempt: str) -> None:
    assert process.run(python(attempt), room, soon(), quiet, INPUTS).said("PermissionError")


def test_what_runs_in_place_of_ffmpeg_has_no_capability_even_as_root(room: Path) -> None:
    code = "import ctypes; header = (ctypes.c_uint32 * 2)(0x20080522, 0); data = (ctypes.c_uint32 * 6)(); "
    code += "print(ctypes.CDLL(None).capget(header, data), list(data), file=__import__('sys').stderr)"
    assert process.run(python(code), room, soon(), quiet, INPUTS).said("0 [0, 0, ")


def test_it_reads_its_input_and_writes_in_its_directory(room: Path) -> None:
    (room.parent / "video").write_text("the video")
    act = f"open('out', 'w').write(open({str(room.parent / 'video')!r}).read()); import os; os.remove('out')"
    outcome = process.run(python(act), room, soon(), quiet, [*INPUTS, room.parent / "video"])
    assert outcome.status == 0, outcome
    assert process.run(python(act), room, soon(), quiet, INPUTS).said("PermissionError")


@pytest.mark.parametrize(
    "words",
    [
        ("-f", "concat", "-safe", "0", "-i", "list.ffconcat"),
        ("-allowed_extensions", "ALL", "-i", "list.m3u8"),
        ("-f", "lavfi", "-i", "amovie={secret}"),
        ("-i", "subfile,,start,0,end,0,,:{secret}"),
        ("-i", "concat:{secret}|{secret}"),
        ("-i", "file:{secret}"),
        ("-i", "{secret}"),
    ],
    ids=lambda words: " ".join(words),
)
def test_ffmpeg_without_its_lists_does_not_reach_another_file(room: Path, ffmpeg: str, words: tuple[str, ...]) -> None:
    """As it would be if something in a video got around the lists of protocols and demuxers."""
    secret = room.parent / "secret.wav"
    tone = ["-f", "lavfi", "-i", f"sine={SECRET_HZ}:duration=2"]
    made = [samples.ffmpeg(), "-v", "error", *tone, str(secret), "-c:a", "mp2", f"{secret}.ts"]
    subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
    (room / "list.ffconcat").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    (room / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}.ts\n#EXT-X-ENDLIST\n")
    named = [word.replace("{secret}", str(secret)) for word in words]
    command = [ffmpeg, "-hide_banner", "-nostdin", "-y", *named, "-f", "wav", "out.wav"]
    outcome = process.run(command, room, soon(), quiet)
    assert outcome.status > 0, outcome
    assert not (room / "out.wav").exists() or (room / "out.wav").stat().st_size < 1000
    # Else this proves nothing.
    subprocess.run(command, cwd=room, check=True, capture_output=True)
    assert samples.tone((room / "out.wav").read_bytes()) == pytest.approx(SECRET_HZ, abs=2)


def test_ffmpeg_does_not_play_the_environment_of_the_server(
    room: Path, ffmpeg: str, server: subprocess.Popen[bytes]
) -> None:
    raw = ["-f", "u8", "-ar", "8000", "-ac", "1", "-i", f"/proc/{server.pid}/environ"]
    command = [ffmpeg, "-hide_banner", "-nostdin", "-y", *raw, "-c:a", "pcm_u8", "-f", "u8", "out"]
    assert process.run(command, room, soon(), quiet).said("Permission denied")
    subprocess.run(command, cwd=room, check=True, capture_output=True)
    assert SECRET.encode() in (room / "out").read_bytes()


def test_ffmpeg_does_not_write_over_another_file(room: Path, ffmpeg: str) -> None:
    (room.parent / "rows.db").write_text("rows")
    tone = ["-f", "lavfi", "-i", "sine=duration=1"]
    command = [ffmpeg, "-hide_banner", "-nostdin", "-y", *tone, "-f", "wav", str(room.parent / "rows.db")]
    assert process.run(command, room, soon(), quiet).said("Permission denied")
    assert (room.parent / "rows.db").read_text() == "rows"


def test_convert_does_not_start_where_nothing_can_be_confined() -> None:
    ended = run_lacking("seccomp", "-m", "functions.shared.server", "convert", PORT="0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("convert does not start: ")
    assert "SANDBOX=off" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_convert_starts_unconfined_where_it_is_told_to_and_says_so_in_capitals() -> None:
    ended = run_lacking("seccomp,landlock", "-c", STARTED, SANDBOX="off")
    assert ended.returncode == 0, ended.stderr
    assert "SANDBOX=OFF: VIDEOS ARE PARSED EVEN IF THE KERNEL CANNOT CONFINE" in ended.stderr
    assert "NOT CONFINED HERE BY: SECCOMP, LANDLOCK" in ended.stderr


def test_convert_starts_without_landlock_and_says_what_it_will_not_do() -> None:
    ended = run_lacking("landlock", "-c", STARTED)
    assert ended.returncode == 0, ended.stderr
    assert "no Landlock" in ended.stderr


def test_a_value_of_the_setting_that_is_neither_is_refused() -> None:
    ended = run_lacking("seccomp", "-m", "functions.shared.server", "convert", SANDBOX="false")
    assert ended.returncode == 1
    assert "SANDBOX must be one of on, off" in ended.stderr


def test_the_demo_says_why_it_waits_where_nothing_can_be_confined(tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_bytes(b"x")
    command = [sys.executable, "-m", "tests.unit.lacking", "seccomp", sys.executable, "-m", "knative.local.demo"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "talk.mp4"], cwd=tmp_path, env=environment, stderr=pipe, text=True) as demo:
        assert demo.stderr
        assert any("set SANDBOX=off if you trust" in line for line in demo.stderr)
        demo.send_signal(signal.SIGINT)
        demo.stderr.read()


@pytest.mark.parametrize("lacking", ["seccomp", "landlock"])
def test_ffmpeg_is_not_started_where_it_cannot_be_confined(room: Path, lacking: str) -> None:
    ended = run_lacking(lacking, "-c", RUN, str(room))
    assert "Unconfined" in ended.stdout
    assert "started" not in ended.stdout
    assert "started" in run_lacking(lacking, "-c", RUN, str(room), SANDBOX="off").stdout


STARTED = (
    "import logging; logging.basicConfig(); import functions.convert.main; "
    "from functions.shared import starting; starting.check()"
)
RUN = """
import sys, time
from pathlib import Path
from functions.convert.process import run
print(run(["/bin/sh", "-c", "echo started >&2"], Path(sys.argv[1]), time.monotonic() + 60, lambda _: None).lines)
"""


def quiet(_: float) -> None:
    """Watch without a word."""


def soon() -> float:
    return time.monotonic() + 120
