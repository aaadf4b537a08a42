"""What must be true in each state of the model, and what is still to be done in one."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.state import IDLE, State, audio, video

__all__ = ["at_rest", "broken"]

_LIVE, _WAITING = ("receiving", "queued", "converting"), ("queued", "converting")


def broken(state: State) -> str:
    """What is wrong, in words; empty when nothing is."""
    return next((wrong for job in range(len(state.jobs)) for wrong in _wrong(state, job)), "")


def at_rest(state: State) -> str:
    """What is still to be done, in words; empty when all is at rest."""
    if any(process != IDLE for process in (*state.workers, state.sweep, state.api)):
        return "a process is at work"
    if any(process.at not in ("idle", "gone") for process in state.uploaders):
        return "an upload is under way"
    if any(row.state in _LIVE for row in state.jobs):
        return "a job is live"
    if any(not event.settled for event in state.events):
        return "an event is not settled"
    if state.dead:
        return "a dead letter is not recorded"
    return "a file is left" if state.blobs != _kept(state) else ""


def _wrong(state: State, job: int) -> Iterator[str]:
    row, gone = state.jobs[job], state.noted
    if row.state == "done":
        yield from _missing(state, audio(job, row.audio or 0))
        if row.audio != row.token:
            yield f"a worker whose token is an old one has finished job {job}"
    if row.state in _WAITING:
        yield from _missing(state, video(job))
    if len(state.of(job, "V")) != (row.state in _WAITING):
        yield f"job {job} is {row.state} and has {len(state.of(job, 'V'))} events that have it converted"
    if row.accepted and row.state in ("none", "gone", "receiving"):
        yield f"job {job} was accepted, and is {row.state}"
    owners = [w for w in state.workers if (w.job, w.token) == (job, row.token) and w.at in ("convert", "finish")]
    if len(owners) > 1:
        yield f"two workers have the newest token of job {job}"
    done = [event for event in state.events if event.id[0] == "A" and event.id[1] == job]
    if len(done) > 1:
        yield f"job {job} was completed {len(done)} times"
    if any(event.settled and event.about == job and event.id not in state.told for event in done):
        yield f"nobody was told that job {job} is done"
    if row.lease == "live" and row.state not in ("receiving", "converting"):
        yield f"job {job} is {row.state}, and has a lease"
    if row.state == "failed" and (row.audio is None) and gone & {video(job)}:
        yield f"the video of job {job}, which may be retried, is unwanted"


def _missing(state: State, name: str) -> Iterator[str]:
    if name not in state.blobs:
        yield f"{name} is gone"
    if name in state.noted:
        yield f"{name} is to be deleted"


def _kept(state: State) -> set[str]:
    kept = set()
    for number, row in enumerate(state.jobs):
        if row.audio is not None:
            kept.add(audio(number, row.audio))
        if row.state in ("failed", "cancelled") and row.accepted:
            kept.add(video(number))
    return kept
