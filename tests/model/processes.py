"""What each process may do next: one transaction, or one effect on the blob store or the broker, at a time.

A crash, a pause that outlasts a lease, an event that the broker loses, a sink that is away: each is a fault, of which
there are so many.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from tests.model import rows, sweeping
from tests.model.state import IDLE, Id, Process, State, audio, owner, video
from tests.model.steps import Step, send, send_by, sent, uploading, working

__all__ = ["ACTORS", "steps"]

ACTORS = ("upload", "time", "people", "convert", "notify", "sweep", "broker")


def steps(state: State, actors: Collection[str] = ACTORS) -> Iterator[Step]:
    """All that may happen next by these actors."""
    for actor, number, may in _groups(state):
        if actor in actors:
            for step in may(state, number):
                yield step._replace(actor=actor)


def _groups(state: State) -> Iterator[tuple[str, int, Callable[[State, int], Iterator[Step]]]]:
    for job in range(len(state.jobs)):
        yield from (("upload", job, _upload), ("time", job, _time), ("people", job, _people))
    yield from (("convert", worker, _work) for worker in range(len(state.workers)))
    yield "notify", 0, lambda state, _: _notify(state)
    yield "sweep", 0, lambda state, _: sweeping.sweep(state)
    yield "people", 0, lambda state, _: send_by(state, "api", state.api)
    if state.budget.faults:
        yield "broker", 0, lambda state, _: sweeping.broker_faults(state)


def _upload(state: State, job: int) -> Iterator[Step]:
    process = state.uploaders[job]
    at = process.at
    if at == "idle" and state.jobs[job].state == "none":
        yield Step(f"open {job}", uploading(rows.opened(state, job), job, Process("store", job)))
    if at == "store":
        stored = state._replace(blobs=state.blobs | {video(job)})
        yield Step(f"store {job}", uploading(stored, job, Process("queue", job)))
    if at == "queue":
        queued = rows.enqueue(state, job)
        if queued:
            yield Step(f"queue {job}", uploading(queued, job, Process("post", job, sends=("V", job, 0))))
        else:
            # A cancelled upload: nobody wants its video.
            yield Step(f"drop {job}", uploading(state.without(video(job)), job, Process("gone")))
    for step in send(state, f"upload {job}", process):
        yield step._replace(state=uploading(step.state, job, sent(process, Process("gone"))))
    if at not in ("idle", "gone") and state.budget.faults:
        yield Step(f"kill upload {job}", uploading(state.spent("faults"), job, Process("gone")), fault=True)


def _time(state: State, job: int) -> Iterator[Step]:
    over = rows.expired(state, job)
    if over is None:
        return
    row = state.jobs[job]
    alive = any(w.job == job and w.token == row.token for w in state.workers)
    alive = alive or (row.state == "receiving" and state.uploaders[job].at in ("store", "queue"))
    if not alive:
        yield Step(f"lease over {job}", over)
    elif state.budget.faults:
        yield Step(f"pause {job}", over.spent("faults"), fault=True)


def _people(state: State, job: int) -> Iterator[Step]:
    if state.budget.cancels and (cancelled := rows.cancel(state, job)):
        yield Step(f"cancel {job}", cancelled.spent("cancels"), fault=True)
    again = rows.retry(state, job) if state.budget.retries and state.api == IDLE else None
    if again:
        sends = Process("post", job, sends=("V", job, again.jobs[job].token))
        yield Step(f"retry {job}", again.spent("retries")._replace(api=sends), fault=True)


def _work(state: State, worker: int) -> Iterator[Step]:
    process = state.workers[worker]
    match process.at:
        case "idle":
            for event_id in {event_id for event_id in state.broker if event_id[0] == "V"}:
                yield from _deliver(state, worker, event_id)
        case "look":
            yield from _look(state, worker, process)
        case "convert":
            yield from _convert(state, worker, process)
        case "finish":
            done = rows.finish(state, process)
            yield _told_by(state, worker, process, "finish", done, "A")
        case "lost":
            gone = state.without(audio(process.job, process.token))
            yield Step(f"drop {worker}", working(gone, worker, IDLE))
        case "clear":
            yield from _clear(state, worker, process.job)
    # Only who has had a claim deletes what its job needs no more.
    following = Process("clear", process.job, delivery=process.delivery) if process.token >= 0 else IDLE
    for step in send(state, f"worker {worker}", process):
        yield step._replace(state=working(step.state, worker, sent(process, following)))
    if process != IDLE and state.budget.faults:
        yield from _worker_faults(state.spent("faults"), worker, process)


def _clear(state: State, worker: int, job: int) -> Iterator[Step]:
    """unwanted.delete_of."""
    left = [name for name in state.noted & state.blobs if owner(name) == job]
    for name in left:
        yield Step(f"clear {worker} {name}", rows.delete(state, name))
    if not left:
        yield Step(f"cleared {worker}", working(state, worker, IDLE))


def _deliver(state: State, worker: int, event_id: Id) -> Iterator[Step]:
    """convert.main.on_uploaded, up to the claim."""
    event = state.event(event_id)
    assert event
    taken, about = state.taken(event_id), event.about
    for other in range(len(state.jobs)):
        swapped = rows.exchange(taken, event, other) if other != about else None
        claimed = rows.claim(swapped, other) if swapped else None
        if claimed:
            yield Step(f"turn {worker} {event_id}", _at_work(claimed, worker, other, event_id))
    claimed = rows.claim(taken, about)
    if claimed:
        yield Step(f"claim {worker} {event_id}", _at_work(claimed, worker, about, event_id))
    elif not _left_behind(state, about):
        process = Process("look", about, delivery=event_id, sends=event_id)
        yield Step(f"nothing to do {worker} {event_id}", working(taken, worker, process))


def _look(state: State, worker: int, process: Process) -> Iterator[Step]:
    """outbox.send_unsent, of the job that the delivered event is about by now."""
    event = state.event(process.sends) if process.sends else None
    for about in {process.job, event.about if event else process.job}:
        unsent = [each.id for each in state.of(about) if not each.sent]
        after = process._replace(at="post", job=about, sends=unsent[0]) if unsent else IDLE
        yield Step(f"look {worker} {about}", working(state, worker, after))


def _left_behind(state: State, job: int) -> bool:
    """Whether a delivery would wait for the end of a dead worker's lease."""
    row = state.jobs[job]
    alive = any(w.job == job and w.token == row.token and w != IDLE for w in state.workers)
    return row.state == "converting" and row.lease == "live" and not alive


def _at_work(state: State, worker: int, job: int, event_id: Id) -> State:
    row = state.jobs[job]
    if row.state == "failed":
        sends = ("F", job, row.token)
        return working(state, worker, Process("post", job, delivery=event_id, sends=sends))
    return working(state, worker, Process("convert", job, row.token, event_id))


def _convert(state: State, worker: int, process: Process) -> Iterator[Step]:
    stored = state._replace(blobs=state.blobs | {audio(process.job, process.token)})
    if video(process.job) not in state.blobs:
        # Another one has finished the job meanwhile.
        gone = rows.release(working(state, worker, IDLE), process, counts=True)
        yield Step(f"no video {worker}", gone.on_its_way(process.delivery) if process.delivery else gone)
        return
    yield Step(f"convert {worker}", working(stored, worker, process._replace(at="finish")))
    yield _told_by(state, worker, process, "fail", rows.fail_held(state, process), "F")
    if state.budget.postpones:
        later = rows.postpone(state.spent("postpones"), process)
        yield _told_by(state, worker, process, "postpone", later, "V")._replace(fault=True)


def _told_by(state: State, worker: int, process: Process, name: str, after: State | None, kind: str) -> Step:
    if after is None:
        return Step(f"{name} lost {worker}", working(state, worker, process._replace(at="lost")))
    sends = (kind, process.job, process.token)
    return Step(f"{name} {worker}", working(after, worker, process._replace(at="post", sends=sends)))


def _worker_faults(state: State, worker: int, process: Process) -> Iterator[Step]:
    """It is killed, the engine crashes, a store is away: the event comes again, or is given up. The dispatcher dies."""
    idle = working(state, worker, IDLE)
    yield from _given_back(idle, f"kill {worker}", process.delivery, transient=True)
    if process.at == "convert":
        crashed = rows.release(idle, process, counts=True)
        yield from _given_back(crashed, f"crash {worker}", process.delivery, transient=False)
        away = rows.release(idle, process, counts=False)
        yield from _given_back(away, f"store away {worker}", process.delivery, transient=True)
    if process.delivery:
        twice = working(state.on_its_way(process.delivery), worker, process._replace(delivery=None))
        yield Step(f"dispatcher dies {worker}", twice, fault=True)


def _given_back(state: State, name: str, event_id: Id | None, *, transient: bool) -> Iterator[Step]:
    if event_id is None:
        yield Step(name, state, fault=True)
        return
    yield Step(f"{name}, again", state.on_its_way(event_id), fault=True)
    yield Step(f"{name}, given up", state._replace(dead=state.dead | {(event_id, transient)}), fault=True)


def _notify(state: State) -> Iterator[Step]:
    """notify, whose ledger sees to it that an event that comes twice tells once."""
    for event_id in {event_id for event_id in state.broker if event_id[0] in "AF"}:
        kind, job, _ = event_id
        yield Step(f"tell {event_id}", rows.tell(state.taken(event_id), job, kind))
