"""`make demo`: one video to one MP3, each step shown and timed, on a runner of its own.

    python -m knative.local.demo [VIDEO]

Without VIDEO it makes demo.mp4 in the current directory. The MP3 goes beside the video.
"""

from __future__ import annotations

import asyncio
import errno
import filecmp
import itertools
import logging
import secrets
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp

from functions.shared.jobs.states import State
from knative.local import demo_video
from knative.local.demo_client import ApiRefused, Client, Job
from knative.local.errors import LocalError
from knative.local.runner import Options, running

__all__ = ["main"]

DATA = Path("data") / "demo"
LOG = DATA / "demo.log"
FETCHED = DATA / "fetched.mp3"
BAR = 30


class DemoFailed(Exception):
    """The demo cannot go on; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Run the demo; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        video = _given(arguments[0]) if arguments else _made(Path("demo.mp4"))
        _keep_log()
        asyncio.run(_demonstrate(video))
    except (DemoFailed, ApiRefused, LocalError, demo_video.CannotMake) as problem:
        return _give_up(str(problem))
    except aiohttp.ClientError as error:
        return _give_up(f"audiolift broke off the conversation ({error}). Its log is {LOG}.")
    except OSError as error:
        return _give_up(_explain(error))
    except KeyboardInterrupt:
        print("\nstopped.")
        return 130
    return 0


def _given(name: str) -> Path:
    video = Path(name)
    if not video.is_file():
        raise DemoFailed(f"there is no file {video.absolute()}. Say which video: make demo VIDEO=/path/to/holiday.mp4")
    return video


def _made(video: Path) -> Path:
    if not video.exists():
        with _step(f"made {video}, {demo_video.SECONDS} s of colours and chords"):
            demo_video.make(video)
    return video


def _keep_log() -> None:
    """Send what the runner and the functions say to a file: the steps alone are on the terminal."""
    DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
    logging.basicConfig(filename=LOG, filemode="w", level=logging.INFO, format="%(asctime)s %(message)s")
    # A function that does not start says what to do; without it, nothing would tell why the demo waits.
    shown: set[str] = set()
    on_terminal = logging.StreamHandler()
    on_terminal.setLevel(logging.ERROR)
    on_terminal.addFilter(lambda record: not _seen(shown, record.getMessage()))
    logging.getLogger("knative.local.revision").addHandler(on_terminal)


def _seen(before: set[str], message: str) -> bool:
    """Whether it was there before; from now on it is."""
    found = message in before
    before.add(message)
    return found


async def _demonstrate(video: Path) -> None:
    email = f"demo-{secrets.token_hex(3)}@example.com"
    async with AsyncExitStack() as stack:
        with _step("audiolift is ready"):
            local = await stack.enter_async_context(running(Options(port=0, data=DATA)))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        session = await stack.enter_async_context(aiohttp.ClientSession(local.url, timeout=timeout))
        client = Client(session, email, secrets.token_urlsafe(12))
        with _step(f"registered {email}"):
            await client.register()
        with _step("logged in"):
            await client.log_in()
        await _convert(client, video)
    print("The demo's server has stopped, so the link in the mail leads nowhere. make run starts one that stays.")


async def _convert(client: Client, video: Path) -> None:
    with _step(f"uploaded {_described(video)}"):
        job = await client.upload(video)
    with _step("converted to MP3"):
        job = await _watch(client, job)
    with _step("got mail"):
        mail = await client.mail()
    _show_mail(mail)
    with _step("downloaded the MP3"):
        await _fetch(client, job)
    _show_result(_place(FETCHED, video), job)


async def _fetch(client: Client, job: Job) -> None:
    with FETCHED.open("wb") as file:
        await client.download(job, file)
    # Nobody can come back for them: each demo has an account of its own, and videos are large.
    await client.delete(job)


async def _watch(client: Client, job: Job) -> Job:
    """Show the progress up to the job's end. Raises: DemoFailed when it does not end well."""
    shown = None
    async for now in client.follow(job):
        shown, job = _show_progress(now, shown), now
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if job["state"] != State.DONE:
        error = job["error"] or {"title": f"the job is {job['state']}", "detail": "", "code": job["state"]}
        raise DemoFailed(f"{job['filename']} was not converted: {error['title']} ({error['code']}). {error['detail']}")
    return job


def _show_progress(job: Job, shown: str | None) -> str:
    """Draw a bar on a terminal, else print a line for every tenth that is done; what was shown, to be shown once."""
    done = int(job["progress"] * BAR)
    line = f"  {job['state']:<12}{job['progress']:4.0%}"
    if sys.stdout.isatty():
        print(f"\r{line} [{'#' * done}{'.' * (BAR - done)}]\033[K", end="", flush=True)
        return line
    tenth = f"{job['state']} {int(job['progress'] * 10)}"
    if tenth != shown:
        print(line, flush=True)
    return tenth


def _show_mail(mail: dict[str, str] | None) -> None:
    if mail is None:
        raise DemoFailed(f"the MP3 is done, but no mail came. The log is {LOG}.")
    text = f"To: {mail['to']}\nSubject: {mail['subject']}\n\n{mail['text'].strip()}"
    print(textwrap.indent(text, "    | ", lambda line: True))


def _place(fetched: Path, video: Path) -> Path:
    """Put the MP3 beside the video under the first name that is free, or that already holds the very same MP3."""
    names = (video.with_name(f"{video.stem}{f'-{number}' if number else ''}.mp3") for number in itertools.count())
    target = next(name for name in names if not name.exists() or filecmp.cmp(fetched, name, shallow=False))
    if not target.exists():
        _copy(fetched, target)
    fetched.unlink()
    return target


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("xb") as writing:
        try:
            shutil.copyfileobj(reading, writing)
            writing.flush()
        except BaseException:
            target.unlink()
            raise


def _show_result(audio: Path, job: Job) -> None:
    size, seconds = audio.stat().st_size, job["duration_seconds"]
    print(f"\n{audio}: {timedelta(seconds=round(seconds))}, {size * 8 / seconds / 1000:.0f} kbit/s, {_size(size)}")


def _described(video: Path) -> str:
    return f"{video.name}, {_size(video.stat().st_size)}"


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 100_000 else f"{size / 1000:.1f} kB"


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Print what was done and how long it took, once it is done."""
    started = time.monotonic()
    yield
    print(f"{what:<60}{time.monotonic() - started:6.2f} s", flush=True)


def _explain(error: OSError) -> str:
    where = error.filename or Path.cwd()
    if error.errno == errno.ENOSPC:
        return f"the disk is full ({where}). Make room and try again."
    if error.errno in (errno.EACCES, errno.EROFS):
        return f"{where} may not be read or written by you. Copy the video to a folder of yours and try with that one."
    return f"{error.strerror or error}: {where}"


def _give_up(message: str) -> int:
    print(f"\naudiolift demo: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
