"""One video's way to its MP3: the sound is taken out, sent, converted and fetched. Each step is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from msgspec.structs import replace

from . import calls, sound, transfers
from .client import Audiolift
from .errors import Refused
from .models import Job, State
from .records import Record, Records

__all__ = ["Outcome", "Seen", "Wish", "convert"]

# Told all the time: the step, how much of it is done (0 to 1), and what else is worth knowing.
Seen = Callable[[str, float, str], object]
_STEPS = {State.QUEUED.value: "waiting for its turn"}


@dataclass(frozen=True)
class Wish:
    """What is to be done with a video: `mp3` is where its MP3 goes, `whole` whether its pictures are sent, too."""

    video: Path
    mp3: Path
    options: Mapping[str, str]
    whole: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """How it ended: `mp3` is None when there is none, and `text` says why, or what to know about it."""

    video: str
    mp3: str | None
    job_id: str | None
    text: str = ""


def convert(client: Audiolift, wish: Wish, records: Records, seen: Seen) -> Outcome:
    """Make the MP3. What was begun before with the same video and options goes on.

    Raises: AudioliftError, OSError. What has been done until then is not lost.
    """
    if wish.mp3.exists() and not wish.overwrite:
        return Outcome(str(wish.video), str(wish.mp3), None, "It was there already.")
    place = records.place(client.session.url, wish.video, {**wish.options, "": str(wish.whole)})
    record = _prepared(wish, place, seen)
    job = _job(client, wish, record, place)
    if job.state == State.RECEIVING:
        _send(client, job.id, record, seen)
    job = client.wait(job.id, lambda now: seen(_STEPS.get(now.state, now.state), now.progress, ""))
    if job.state == State.DONE:
        seen("fetching", 0.0, "")
        size = job.size_bytes or 1
        transfers.download(client, job.id, wish.mp3, lambda came: seen("fetching", came / size, ""))
    records.forget(place)
    return _outcome(wish, job)


def _prepared(wish: Wish, place: Path, seen: Seen) -> Record:
    """What is to be sent: as it was when this began, or now."""
    record = Records.load(place)
    if record is None or not record.is_of(wish.video):
        record = _taken_out(wish, place, seen)
        Records.keep(place, record)
    return record


def _taken_out(wish: Wish, place: Path, seen: Seen) -> Record:
    state, into = wish.video.stat(), place / f"sound{wish.video.suffix}"
    taken = not wish.whole and sound.take_out(wish.video, into, lambda share: seen("taking the sound out", share, ""))
    sent = into.stat().st_size if taken else state.st_size
    return Record(str(wish.video), state.st_size, state.st_mtime_ns, sent, str(into) if taken else None)


def _job(client: Audiolift, wish: Wish, record: Record, place: Path) -> Job:
    """The job that was begun, or a new one."""
    if record.job_id and (job := _known(client, record.job_id)):
        return job
    metadata = {"filename": wish.video.name, **wish.options}
    try:
        job_id = client.do(calls.begin_upload(record.sent, metadata))
    except Refused as error:
        if error.code == "bad-option":
            # With other options this is another conversion: nobody comes back to what is kept for this one.
            Records.forget(place)
        raise
    Records.keep(place, replace(record, job_id=job_id))
    return client.do(calls.job(job_id))


def _known(client: Audiolift, job_id: str) -> Job | None:
    try:
        return client.do(calls.job(job_id))
    except Refused as error:
        if error.status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            return None
        raise


def _send(client: Audiolift, job_id: str, record: Record, seen: Seen) -> None:
    path = Path(record.sound or record.video)
    saved = f"{_bytes(record.size - record.sent)} stay here" if record.sound else ""
    size, whole = max(record.sent, 1), _bytes(record.sent)
    transfers.send(client, job_id, path, lambda sent: seen(f"sending {whole}", sent / size, saved))


def _outcome(wish: Wish, job: Job) -> Outcome:
    if job.state == State.DONE:
        return Outcome(str(wish.video), str(wish.mp3), job.id, " ".join(each.text for each in job.warnings))
    error = job.error
    return Outcome(
        str(wish.video), None, job.id, f"{error.title}. {error.detail}" if error else f"The job was {job.state}."
    )


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
