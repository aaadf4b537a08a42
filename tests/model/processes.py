"""What each process may do next: one transaction, or one effect on the blob store or the broker, at a time.

A crash, a pause that outlasts a lease, an event that the broker loses, a sink that is away: each is a fault, of which
there are so many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.model import rows
from tests.model.state import IDLE, Id, Process, State, audio, video

__all__ = ["Step", "steps"]


class Step(NamedTuple):
    """Something that may happen: its name, what is then, and whether nothing but bad luck brings it about."""

    name: str
    state: State
    fault: bool = False
    actor: str = ""


def steps(state: State) -> Iterator[Step]:
    """All that may happen next."""
    for job in range(len(state.jobs)):
        yield from _by("upload", _upload(state, job))
        yield from _by("time", _time(state, job))
        yield from _by("people", _people(state, job))
    for worker in range(len(state.workers)):
        yield from _by("convert", _work(state, worker))
    yield from _by("notify", _notify(state))
    yield from _by("sweep", _sweep(state))
    yield from _by("people", _send_by(state, "api", state.api))
    if state.budget.faults:
        yield from _by("broker", _broker_faults(state))


def _by(actor: str, may: Iterable[Step]) -> Iterator[Step]:
    return (step._replace(actor=actor) for step in may)


def _upload(state: State, job: int) -> Iterator[Step]:
    process = state.uploaders[job]
    at = process.at
    if at == "idle" and state.jobs[job].state == "none":
        yield Step(f"open {job}", _uploader(rows.opened(state, job), job, Process("store", job)))
    if at == "store":
        stored = state._replace(blobs=state.blobs | {video(job)})
        yield Step(f"store {job}", _uploader(stored, job, Process("queue", job)))
    if at == "queue":
        queued = rows.enqueue(state, job)
        if queued:
            yield Step(f"queue {job}", _uploader(queued, job, Process("post", job, sends=("V", job, 0))))
        else:
            # A cancelled upload: nobody wants its video.
            yield Step(f"drop {job}", _uploader(state.without(frozenset({video(job)})), job, Process("gone")))
    for step in _send(state, f"upload {job}", process):
        yield step._replace(state=_uploader(step.state, job, _sent(process, Process("gone"))))
    if at not in ("idle", "gone") and state.budget.faults:
        yield Step(f"kill upload {job}", _uploader(state.spent("faults"), job, Process("gone")), fault=True)


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
        case "convert":
            yield from _convert(state, worker, process)
        case "finish":
            done = rows.finish(state, process)
            yield _told_by(state, worker, process, "finish", done, "A")
        case "lost":
            gone = state.without(frozenset({audio(process.job, process.token)}))
            yield Step(f"drop {worker}", _worker(gone, worker, IDLE))
        case "clear":
            yield Step(f"clear {worker}", _worker(state.without(state.unwanted), worker, IDLE))
    following = Process("clear", process.job, delivery=process.delivery)
    for step in _send(state, f"worker {worker}", process):
        yield step._replace(state=_worker(step.state, worker, _sent(process, following)))
    if process != IDLE and state.budget.faults:
        yield from _worker_faults(state.spent("faults"), worker, process)


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
        unsent = [each.id for each in state.of(about) if not each.sent]
        process = Process("post", about, delivery=event_id, sends=unsent[0]) if unsent else IDLE
        yield Step(f"nothing to do {worker} {event_id}", _worker(taken, worker, process))


def _left_behind(state: State, job: int) -> bool:
    """Whether a delivery would wait for the end of a dead worker's lease."""
    row = state.jobs[job]
    alive = any(w.job == job and w.token == row.token and w != IDLE for w in state.workers)
    return row.state == "converting" and row.lease == "live" and not alive


def _at_work(state: State, worker: int, job: int, event_id: Id) -> State:
    row = state.jobs[job]
    if row.state == "failed":
        sends = ("F", job, row.token)
        return _worker(state, worker, Process("post", job, row.token, event_id, sends))
    return _worker(state, worker, Process("convert", job, row.token, event_id))


def _convert(state: State, worker: int, process: Process) -> Iterator[Step]:
    stored = state._replace(blobs=state.blobs | {audio(process.job, process.token)})
    if video(process.job) not in state.blobs:
        # Another one has finished the job meanwhile.
        gone = rows.release(_worker(state, worker, IDLE), process, counts=True)
        yield Step(f"no video {worker}", gone.on_its_way(process.delivery) if process.delivery else gone)
        return
    yield Step(f"convert {worker}", _worker(stored, worker, process._replace(at="finish")))
    yield _told_by(state, worker, process, "fail", rows.fail_held(state, process), "F")
    if state.budget.postpones:
        later = rows.postpone(state.spent("postpones"), process)
        yield _told_by(state, worker, process, "postpone", later, "V")._replace(fault=True)


def _told_by(state: State, worker: int, process: Process, name: str, after: State | None, kind: str) -> Step:
    if after is None:
        return Step(f"{name} lost {worker}", _worker(state, worker, process._replace(at="lost")))
    sends = (kind, process.job, process.token)
    return Step(f"{name} {worker}", _worker(after, worker, process._replace(at="post", sends=sends)))


def _worker_faults(state: State, worker: int, process: Process) -> Iterator[Step]:
    """It is killed, the engine crashes, a store is away: the event comes again, or is given up. The dispatcher dies."""
    idle = _worker(state, worker, IDLE)
    yield from _given_back(idle, f"kill {worker}", process.delivery, transient=True)
    if process.at == "convert":
        crashed = rows.release(idle, process, counts=True)
        yield from _given_back(crashed, f"crash {worker}", process.delivery, transient=False)
        away = rows.release(idle, process, counts=False)
        yield from _given_back(away, f"store away {worker}", process.delivery, transient=True)
    if process.delivery:
        twice = _worker(state.on_its_way(process.delivery), worker, process._replace(delivery=None))
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
        event, taken = state.event(event_id), state.taken(event_id)
        assert event
        settled = taken if event.settled else taken.put(event._replace(settled=True))
        told = settled.told if event.settled else settled.told | {event_id}
        yield Step(f"tell {event_id}", settled._replace(told=told))


def _sweep(state: State) -> Iterator[Step]:
    yield from _send_by(state, "sweep", state.sweep)
    if state.sweep == IDLE:
        yield from _resend(state)
        yield from _give_up(state)
    if state.unwanted & state.blobs:
        yield Step("delete unwanted", state.without(state.unwanted))
    orphans = rows.note_orphans(state)
    if orphans:
        yield Step("note orphans", orphans)
    for job in range(len(state.jobs)):
        forgotten = rows.forget(state, job)
        if forgotten:
            yield Step(f"forget {job}", forgotten)


def _resend(state: State) -> Iterator[Step]:
    """events.send_again. What is settled, or waits in the broker, is sent again by a sweep that is late."""
    for event in state.events:
        again = state._replace(sweep=Process("post", event.about, sends=event.id))
        due = not event.settled and state.jobs[event.about].lease != "live"
        if due and event.id not in state.broker and not _has(state, event.id):
            yield Step(f"send again {event.id}", again)
        elif state.budget.faults:
            yield Step(f"send twice {event.id}", again.spent("faults"), fault=True)


def _has(state: State, event_id: Id) -> bool:
    """Whether somebody works on the delivery of an event, or is about to send it."""
    processes = (*state.uploaders, *state.workers, state.api)
    return any(event_id in (process.delivery, process.sends) for process in processes)


def _give_up(state: State) -> Iterator[Step]:
    """dead_letters.record."""
    for event_id, transient in state.dead:
        event, read = state.event(event_id), state._replace(dead=state.dead - {(event_id, transient)})
        assert event
        failed = None if event.settled or transient else rows.fail(read, event.about)
        if failed and event_id[0] == "V":
            token = failed.jobs[event.about].token
            process = Process("post", event.about, sends=("F", event.about, token))
            yield Step(f"give up {event_id}", failed._replace(sweep=process))
        elif transient and not event.settled:
            yield Step(f"unsent {event_id}", read.put(event._replace(sent=False)))
        else:
            yield Step(f"noted {event_id}", read)
        # Knative's dispatcher drops what its dead-letter sink does not take.
        if state.budget.faults:
            yield Step(f"kill letter {event_id}", read.spent("faults"), fault=True)


def _broker_faults(state: State) -> Iterator[Step]:
    """The broker loses an event; or its dispatcher is stopped, and gives up what it held."""
    for event_id in set(state.broker):
        lost = state.taken(event_id).spent("faults")
        yield Step(f"lose {event_id}", lost, fault=True)
        yield Step(f"deliver twice {event_id}", lost.on_its_way(event_id).on_its_way(event_id), fault=True)
        yield Step(f"give back {event_id}", lost._replace(dead=state.dead | {(event_id, True)}), fault=True)


def _send_by(state: State, name: str, process: Process) -> Iterator[Step]:
    for step in _send(state, name, process):
        yield step._replace(state=_sender(step.state, name, _sent(process, IDLE)))
    if process != IDLE and state.budget.faults:
        yield Step(f"kill {name}", _sender(state.spent("faults"), name, IDLE), fault=True)


def _send(state: State, name: str, process: Process) -> Iterator[Step]:
    """outbox.send: the event goes out, and then its row is marked."""
    if process.at == "post" and process.sends:
        yield Step(f"{name} posts {process.sends}", state.on_its_way(process.sends))
    if process.at == "mark" and process.sends:
        event = state.event(process.sends)
        assert event
        yield Step(f"{name} marks {process.sends}", state.put(event._replace(sent=True)))


def _sender(state: State, name: str, process: Process) -> State:
    return state._replace(sweep=process) if name == "sweep" else state._replace(api=process)


def _sent(process: Process, after: Process) -> Process:
    return process._replace(at="mark") if process.at == "post" else after


def _uploader(state: State, job: int, process: Process) -> State:
    uploaders = list(state.uploaders)
    uploaders[job] = process
    return state._replace(uploaders=tuple(uploaders))


def _worker(state: State, worker: int, process: Process) -> State:
    """Workers are alike: their order says nothing."""
    workers = list(state.workers)
    workers[worker] = process
    return state._replace(workers=tuple(sorted(workers, key=repr)))
