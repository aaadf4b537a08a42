"""The transactions of the functions, as the model has them: State → State, or None where the condition does not hold.

Each stands for one function of functions/shared/jobs or functions/sweep, which it is named after.
"""

from __future__ import annotations

from tests.model.state import Event, Process, State, audio, owner, video

__all__ = [
    "cancel",
    "claim",
    "delete",
    "enqueue",
    "exchange",
    "expired",
    "fail",
    "fail_held",
    "finish",
    "forget",
    "held",
    "is_free",
    "may_come",
    "note_orphans",
    "opened",
    "postpone",
    "release",
    "retry",
    "settle_swept",
    "tell",
]

MAX_ATTEMPTS = 2
# The state of a job that an event is the news of.
_NEWS = {"A": "done", "F": "failed"}


def opened(state: State, job: int) -> State:
    """intake.open_job."""
    return state.job(job, state="receiving", lease="live")


def enqueue(state: State, job: int) -> State | None:
    """transitions.queue, by the request that opened the job."""
    row = state.jobs[job]
    if row.state != "receiving" or row.token != 0:
        return None
    queued = state.job(job, state="queued", lease="none", attempts=0, accepted=True)
    return _add(queued, job, "V")


def is_free(state: State, job: int) -> bool:
    """changes.unconverted."""
    row = state.jobs[job]
    return row.state == "queued" or (row.state == "converting" and row.lease == "over")


def claim(state: State, job: int) -> State | None:
    """claims.claim: the job is converting, or failed when it was tried too often."""
    row = state.jobs[job]
    if not is_free(state, job):
        return None
    if row.attempts >= MAX_ATTEMPTS:
        return fail(state, job)
    return state.job(job, state="converting", lease="live", token=row.token + 1, attempts=row.attempts + 1)


def exchange(state: State, delivered: Event, job: int) -> State | None:
    """turns.exchange, if this job may be worked on instead of the one that an event was delivered for."""
    mine, other = state.jobs[delivered.about], state.jobs[job]
    events = state.of(job, "V")
    untried = all(each.state == "queued" and each.attempts == 0 for each in (mine, other))
    if delivered.settled or not untried or not events:
        return None
    return state.put(delivered._replace(about=job), events[-1]._replace(about=delivered.about))


def held(state: State, process: Process) -> bool:
    """Claim.held."""
    row = state.jobs[process.job]
    return row.state == "converting" and row.token == process.token


def finish(state: State, process: Process) -> State | None:
    """transitions.finish."""
    if not held(state, process):
        return None
    before = state.jobs[process.job].audio
    done = state.job(process.job, state="done", lease="none", audio=process.token)
    old = {audio(process.job, before)} if before is not None else set()
    unwanted = state.unwanted | {video(process.job)} | old
    return _add(done._replace(unwanted=unwanted), process.job, "A")


def fail_held(state: State, process: Process) -> State | None:
    """transitions.fail_claimed."""
    if not held(state, process):
        return None
    return _add(state.job(process.job, state="failed", lease="none"), process.job, "F")


def fail(state: State, job: int) -> State | None:
    """transitions.fail."""
    if not is_free(state, job):
        return None
    return _add(state.job(job, state="failed", lease="none"), job, "F")


def postpone(state: State, process: Process) -> State | None:
    """transitions.postpone."""
    if not held(state, process):
        return None
    return _add(state.job(process.job, state="queued", lease="none", attempts=0), process.job, "V")


def release(state: State, process: Process, *, counts: bool) -> State:
    """claims.release."""
    if not held(state, process):
        return state
    attempts = state.jobs[process.job].attempts - (0 if counts else 1)
    return state.job(process.job, state="queued", lease="none", attempts=max(0, attempts))


def cancel(state: State, job: int) -> State | None:
    """transitions.cancel."""
    if state.jobs[job].state not in ("receiving", "queued", "converting"):
        return None
    return state.job(job, state="cancelled", lease="none").settled(job)


def retry(state: State, job: int) -> State | None:
    """transitions.retry."""
    row = state.jobs[job]
    if row.state not in ("failed", "cancelled") or not row.accepted:
        return None
    return _add(state.job(job, state="queued", token=row.token + 1, attempts=0), job, "V")


def forget(state: State, job: int) -> State | None:
    """transitions.forget_unreceived."""
    row = state.jobs[job]
    if row.state != "receiving" or row.lease == "live":
        return None
    gone = state.job(job, state="gone", lease="none")
    return gone._replace(unwanted=gone.unwanted | {video(job)})


def expired(state: State, job: int) -> State | None:
    """Time goes by, until the lease of a job is over."""
    return state.job(job, lease="over") if state.jobs[job].lease == "live" else None


def note_orphans(state: State) -> State | None:
    """files.delete_orphans, up to the transaction."""
    orphans = state.blobs - {name for job in range(len(state.jobs)) for name in _needed(state, job)} - state.noted
    return state._replace(unwanted=state.unwanted | orphans) if orphans else None


def delete(state: State, name: str) -> State:
    """A file that is noted is deleted. If it may be stored after that, its note goes later (settle_swept)."""
    after = state.without(name)
    return after._replace(swept=after.swept | {name}) if may_come(state, name) else after


def may_come(state: State, name: str) -> bool:
    """Whether an upload is about to store this file, which may be noted before it is there."""
    process = state.uploaders[owner(name)]
    return process.at == "store" and name == video(process.job)


def settle_swept(state: State, name: str) -> State:
    """unwanted._settle, of a file that was deleted before."""
    return state._replace(swept=state.swept - {name})


def tell(state: State, job: int, kind: str) -> State:
    """fanout.tell, which goes by the row of the job, whichever of its events of a kind has come.

    Its ledger sees to it that each generation is told once.
    """
    row = state.jobs[job]
    settled = state.put(*(event._replace(settled=True) for event in state.of(job, kind)))
    return settled._replace(told=settled.told | {(kind, job, row.token)}) if row.state == _NEWS[kind] else settled


def _needed(state: State, job: int) -> set[str]:
    row = state.jobs[job]
    named = {audio(job, row.audio)} if row.audio is not None else set()
    if row.state == "done":
        return named
    if row.state in ("failed", "cancelled"):
        return named | ({video(job)} if row.accepted else set())
    if row.state in ("none", "gone"):
        return set()
    return named | {video(job), audio(job, row.token)}


def _add(state: State, job: int, kind: str) -> State:
    """outbox.add."""
    token = state.jobs[job].token
    return state.settled(job).put(Event((kind, job, token), job))
