"""One conversion as the function sees it: the video is a blob, the engine runs in its sandbox, the MP3 becomes a blob.

What is finished is saved every second, so that neither a deadline nor a crash costs more than that.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from functions.convert import checkpoints, plain
from functions.convert.checkpoints import Checkpoint
from functions.convert.errors import Crash, NoWorker, Unfinished
from functions.convert.messages import (
    Dialogue,
    Drawn,
    Failed,
    File,
    Frames,
    Progress,
    Restarted,
    Snapshot,
    Tracks,
    Warned,
)
from functions.convert.result import Converted, Result, pieces
from functions.convert.sandbox import cores, nursery, policy
from functions.convert.sandbox.worker import Ended
from functions.shared import blobs, settings
from functions.shared.job_warnings import MAX_WARNINGS, JobWarning
from functions.shared.jobs import leases
from functions.shared.jobs.claims import Claim, ClaimLost
from functions.shared.jobs.peaks import Peaks
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure

__all__ = ["convert"]

# How often finished frames are saved, and how long before the deadline for the last time: in seconds, and at most as
# a share of the time that a conversion has.
SAVE_SECONDS, SAVE_SHARE = 1.0, 0.2
MARGIN_SECONDS, MARGIN_SHARE = 15.0, 0.1
# After so many attempts that crashed, the ffmpeg command is tried: it is slower, and another program.
ENGINE_TRIES = 2


def convert(claim: Claim) -> Converted:
    """Make the MP3 of the claim's video, and store it under the claim's name.

    Raises: Failure when the file is to blame, Crash when it may not be, Unfinished, ClaimLost, Unavailable.
    """
    if claim.attempts <= ENGINE_TRIES or not policy.allows_ffmpeg():
        return _by_engine(claim)
    return _by_ffmpeg(claim)


def _by_engine(claim: Claim) -> Converted:
    # Before a job's first token nothing can have been saved.
    saved = checkpoints.load(claim.job_id) if claim.token > 1 else None
    with Result(claim, saved.parts if saved else ()) as result:
        conversion = _Conversion(claim, result, saved.state if saved else None)
        with blobs.store().reading(claim.video) as video, nursery.worker() as worker, conversion.telling():
            try:
                job = _job(claim, saved)
                ended = worker.run(job, video, conversion.on_message, conversion.tick, conversion.work_until)
            except NoWorker as error:
                raise Crash("no engine", converter="engine", words=str(error)) from error
            conversion.check_outcome(ended)
        audio = replace(result.store(), peaks=conversion.peaks)
        return Converted(audio, tuple(conversion.warnings), conversion.untold)


def _by_ffmpeg(claim: Claim) -> Converted:
    keep, warnings = leases.LeaseHeartbeat(claim), [JobWarning("by-ffmpeg")]
    with Result(claim, ()) as result, tempfile.TemporaryDirectory(prefix="convert-") as directory:
        with blobs.store().local_file(claim.video, watch=lambda: keep(0.0)) as video:
            tell = partial(leases.record_tracks, claim)
            mp3, seconds = plain.convert(video, Path(directory), claim.options, keep, tell, warnings)
        with mp3.open("rb") as file:
            for piece in pieces(file):
                result.add(piece)
        result.end(b"", b"", seconds)
        if _splits(claim):
            result.archive(claim.filename, 1)
        return Converted(result.store(), tuple(warnings[:MAX_WARNINGS]))


def _splits(claim: Claim) -> bool:
    return claim.options.get("chapters") == "split"


def _job(claim: Claim, saved: Checkpoint | None) -> dict[str, Any]:
    return {
        "options": claim.options,
        "threads": cores.available(),
        "max_seconds": settings.number("MAX_DURATION_SECONDS"),
        "state": saved.state if saved else None,
    }


def _facts(ended: Ended) -> dict[str, Any]:
    """For the log: how a child ended, and the name of the signal that killed it."""
    return asdict(ended) | {"signal": signal.Signals(-ended.status).name if ended.status < 0 else None}


class _Conversion:
    """What is known of a conversion while its child runs."""

    def __init__(self, claim: Claim, result: Result, state: dict[str, Any] | None = None) -> None:
        allowed = settings.number("CONVERT_TIMEOUT_SECONDS")
        self.work_until = time.monotonic() + allowed
        self._last_save = self.work_until - min(MARGIN_SECONDS, MARGIN_SHARE * allowed)
        self._save_every = min(SAVE_SECONDS, SAVE_SHARE * allowed)
        self._next_save = time.monotonic() + self._save_every
        self.warnings: list[JobWarning] = []
        self.peaks: Peaks | None = None
        self._claim, self._result = claim, result
        self._keep = leases.LeaseHeartbeat(claim)
        self._progress = 0.0
        self._dialogue = Dialogue(_splits(claim), settings.number("MAX_DURATION_SECONDS"))
        self._failure: Failed | None = None
        # What there is to resume from, and whether that is this delivery's doing.
        self._state, self._has_saved = state, False

    def on_message(self, header: dict[str, Any], payload: bytes) -> None:
        """Take what the child says. Raises: ProtocolViolation, Failure, Unfinished, ClaimLost, Unavailable."""
        match self._dialogue.take(header, payload):
            case Tracks(items):
                self._keep.untold["audio_tracks"] = items
            case Frames(data):
                self._result.add(data)
            case Progress(share):
                self._progress = min(share, 0.99)
            case Restarted():
                self._result.restart()
            case Snapshot() as snapshot:
                self._save_when_due(snapshot)
            case Drawn(seconds, heights):
                self.peaks = Peaks(seconds, heights)
            case File() as file:
                self._result.end(file.head, file.tail, file.seconds)
                if file.title is not None:
                    self._result.archive(file.title, file.files)
            case Warned(warning):
                self.warnings.append(warning)
            case Failed() as failed:
                self._failure = failed

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Write down what the child has found even when the file is to blame: its owner can choose another track."""
        try:
            yield
        except Failure:
            if self.untold:
                leases.renew(self._claim, self._progress, **self.untold)
            raise

    @property
    def untold(self) -> dict[str, Any]:
        """Values of the job that are not written yet: a short conversion ends before there is reason to."""
        return self._keep.untold

    def tick(self) -> None:
        """Keep the lease. Raises: ClaimLost."""
        self._keep(self._progress)

    def check_outcome(self, ended: Ended) -> None:
        """Raises: Failure, Unfinished or Crash unless the MP3 is whole."""
        if self._failure:
            raise Failure(self._failure.code, self._failure.hint)
        if ended.timed_out or ended.out_of_cpu:
            raise Unfinished if self._has_saved else Failure("timed-out")
        if not ended.well or not self._result.whole:
            raise Crash(f"the engine ended with {ended.status}", converter="engine", **_facts(ended))

    def _save_when_due(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        if now < min(self._next_save, self._last_save):
            return
        self._next_save, state = now + self._save_every, snapshot.parsed()
        if state == self._state:
            # It gets no further: a job that is always resumed at the same place would go on for ever.
            return
        try:
            self._save(state)
            self._keep.written(self._progress)
            self._state, self._has_saved = state, True
        except Unavailable:
            # Stores that are away for a while cost no work.
            if now >= self._last_save:
                raise
        if now >= self._last_save:
            raise Unfinished

    def _save(self, state: dict[str, Any]) -> None:
        parts = self._result.save()
        try:
            checkpoints.save(self._claim, Checkpoint(parts, state), self._progress)
        except ClaimLost:
            # No checkpoint has this one, and none will; the others went with the job, or are its next claim's.
            with suppress(Unavailable):
                blobs.store().delete(parts[-1])
            raise
