"""video.uploaded → audio.created | conversion.failed."""

from __future__ import annotations

import logging
import tempfile
from contextlib import suppress
from pathlib import Path

from events.catalogue import VideoUploaded
from functions.convert import engine
from functions.shared import blobs, database, jobs, leases, outbox
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.subscriber import subscriber

log = logging.getLogger(__name__)

PIECE = 256 * 1024


@subscriber(VideoUploaded, ready=(lambda: database.ping(), lambda: blobs.store().ping()))
def convert(event: VideoUploaded) -> None:
    """Claim the job, make its MP3, and finish it; or leave it alone when it is over or somebody else's."""
    claim = jobs.claim(event.job_id)
    if claim is None:
        outbox.send_unsent(event.job_id)
        return
    try:
        result = _finish(claim)
    except jobs.Lost:
        log.info("job %s was cancelled or given to another conversion", claim.job_id)
    except BaseException as error:
        jobs.release(claim, counts=not isinstance(error, Unavailable))
        raise
    else:
        outbox.send(result)


def _finish(claim: jobs.Claim) -> str:
    try:
        result = jobs.finish(claim, _make_audio(claim))
    except Failure as failure:
        return jobs.fail_claimed(claim, failure)
    with suppress(Unavailable):
        blobs.store().delete(claim.video)
    return result


def _make_audio(claim: jobs.Claim) -> jobs.Audio:
    keep = leases.keeper(claim)
    with tempfile.TemporaryDirectory(prefix="convert-") as directory:
        with blobs.store().local_file(claim.video, watch=lambda: keep(0.0)) as video:
            mp3, seconds = engine.convert(video, Path(directory), claim.options, keep)
        return _store(claim, mp3, seconds)


def _store(claim: jobs.Claim, mp3: Path, seconds: float) -> jobs.Audio:
    with mp3.open("rb") as file, blobs.store().writing(claim.audio) as writer:
        write = leases.keeping(claim, writer.write)
        while piece := file.read(PIECE):
            write(piece)
    return jobs.Audio(writer.size_bytes, writer.sha256(), round(seconds, 3))
