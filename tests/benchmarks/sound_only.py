"""An hour of 5 Mbit/s MP4 at 20 Mbit/s: how long the page takes from choosing it to the MP3, and how much memory.

    python -m tests.benchmarks.sound_only [--whole] [--large]

With `--whole`, instead of that, how long the upload of the whole file takes alone: a quarter of an hour. With
`--large`, how much memory the page has while it sends the sound of files of 1, 4 and 12 GB, as fast as it can. It
prints what it finds; docs/performance.md says what was found when. Chromium throttles the network, as its tools for
developers do.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.benchmarks.report import say
from tests.benchmarks.sparse import sparse_mp4
from tests.browser.conftest import ARGUMENTS
from tests.browser.screen import card, choose, send_whole, sign_up, throttle
from tests.media import ffmpeg
from tests.provision import need
from tests.system import Audiolift

__all__ = ["main"]

HOUR, PIECE, BITS, SOUND_BITS = 3600, 30, 5_000_000, 128_000
NETWORK_BITS = 20_000_000
PATIENCE_MS = 3_600_000
MB = 1_000_000
LARGE = (1_000 * MB, 4_000 * MB, 12_000 * MB)
# What a job says whose video is there.
SENT = re.compile("Waiting(?! )|Converting|Ready|Failed")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--whole", action="store_true", help="upload the whole file instead")
    parser.add_argument("--large", action="store_true", help="measure memory with larger and larger files instead")
    arguments = parser.parse_args()
    if arguments.large:
        return measure_large()
    is_whole: bool = arguments.whole
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        video = made(Path(name))
        say(f"{video.name}: {video.stat().st_size / MB:.0f} MB, of which {sound_bytes(video) / MB:.1f} MB are sound")
        with opened(Path(name) / "data") as page:
            (measure_whole if is_whole else measure)(page, video)
    return None


def measure_large() -> None:
    """The memory of Chromium while the sound of files is sent that take no room on this disk, a browser for each."""
    for size in LARGE:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            video = sparse_mp4(Path(name) / "large.mp4", size, BITS)
            with opened(Path(name) / "data", -1) as page, Memory() as memory:
                started = time.monotonic()
                choose(page, video)
                expect(card(page, video.name)).to_contain_text(SENT, timeout=PATIENCE_MS)
                seconds = time.monotonic() - started
            say(f"{size / MB:,.0f} MB: sent after {seconds:.0f} s; {memory.told()}")


def made(folder: Path) -> Path:
    """The video: half a minute of noisy pictures and two-channel AAC, again and again."""
    piece, hour = folder / "piece.mp4", folder / "hour.mp4"
    pictures = ["-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=25:duration={PIECE},noise=alls=8:allf=t"]
    tones = ["-f", "lavfi", "-i", f"aevalsrc=0.2*sin(2*PI*(300+20*t)*t)|0.2*sin(2*PI*500*t):s=48000:d={PIECE}"]
    rate = str(BITS - SOUND_BITS)
    constant = ["-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", "2M", "-x264-params", "nal-hrd=cbr"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", *constant, "-c:a", "aac", "-b:a", str(SOUND_BITS)]
    run(*pictures, *tones, *coded, str(piece))
    run("-stream_loop", str(HOUR // PIECE - 1), "-i", str(piece), "-c", "copy", str(hour))
    return hour


def run(*words: str) -> bytes:
    """What ffmpeg writes to its standard output."""
    command = [ffmpeg(), "-v", "error", "-nostdin", *words]
    return subprocess.run(command, check=True, capture_output=True).stdout


def sound_bytes(video: Path) -> int:
    """All packets of sound, without any container."""
    return len(run("-i", str(video), "-map", "0:a", "-c", "copy", "-f", "data", "-"))


@contextmanager
def opened(data: Path, rate: int = NETWORK_BITS // 8) -> Iterator[Page]:
    """The page of somebody who has just signed up, whose network takes so many bytes a second; -1 for all there are."""
    audiolift = Audiolift(data)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=need("chromium"), args=ARGUMENTS)
            page = browser.new_page(base_url=audiolift.url)
            page.goto("/")
            sign_up(page)
            throttle(page, rate)
            yield page
            browser.close()
    finally:
        audiolift.stop()


def measure(page: Page, video: Path) -> None:
    """From choosing the file to the MP3; and the memory of Chromium's processes before and meanwhile."""
    with Memory() as memory:
        started = time.monotonic()
        choose(page, video)
        expect(card(page, video.name)).to_contain_text(re.compile(r"to\ssend"), timeout=PATIENCE_MS)
        facts = card(page, video.name).locator(".upload-facts").text_content()
        say(f"after {time.monotonic() - started:.1f} s: {facts}")
        expect(card(page, video.name)).to_contain_text(SENT, timeout=PATIENCE_MS)
        say(f"after {time.monotonic() - started:.1f} s: sent")
        expect(card(page, video.name).get_by_text("Ready", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        say(f"after {time.monotonic() - started:.1f} s: the MP3 is there")
    say(memory.told())


def measure_whole(page: Page, video: Path) -> None:
    """The upload of the whole video alone."""
    send_whole(page)
    with Memory() as memory:
        started = time.monotonic()
        choose(page, video)
        expect(card(page, video.name)).to_contain_text(SENT, timeout=PATIENCE_MS)
        say(f"the whole video: sent after {time.monotonic() - started:.1f} s")
    say(memory.told())


class Memory:
    """The most memory of Chromium's processes by type, ten times a second; what is shared is divided (PSS)."""

    def __enter__(self) -> Memory:
        self._before, self._most = chromium_memory(), chromium_memory()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def told(self) -> str:
        """For people, in MB."""
        kinds = sorted(self._most)
        parts = [f"{kind} {self._before.get(kind, 0) / MB:.0f} → {self._most[kind] / MB:.0f}" for kind in kinds]
        return f"memory in MB, before → at most: {', '.join(parts)}"

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            for kind, size in chromium_memory().items():
                self._most[kind] = max(self._most.get(kind, 0), size)


def chromium_memory() -> dict[str, int]:
    """Bytes by type of process, of the Chromium that is a descendant of this process."""
    found: dict[str, int] = {}
    for process in descendants(os.getpid()):
        try:
            command = (Path("/proc") / str(process) / "cmdline").read_bytes()
            rollup = (Path("/proc") / str(process) / "smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        if b"chromium" not in command:
            continue
        kind = re.search(rb"--type=([a-z-]+)", command)
        size = re.search(r"^Pss: +(\d+)", rollup, re.MULTILINE)
        name = kind.group(1).decode() if kind else "browser"
        found[name] = found.get(name, 0) + (int(size.group(1)) * 1024 if size else 0)
    return found


def descendants(process: int) -> Iterator[int]:
    """All processes below this one."""
    for children in Path("/proc", str(process), "task").glob("*/children"):
        try:
            listed = children.read_text().split()
        except OSError:
            continue
        for child in map(int, listed):
            yield child
            yield from descendants(child)


if __name__ == "__main__":
    main()
