"""What sweep may do next, and what the broker may do to what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model import rows
from tests.model.state import IDLE, Id, Process, State
from tests.model.steps import Step, send_by

__all__ = ["broker_faults", "sweep"]


def sweep(state: State) -> Iterator[Step]:
    """A tick's steps, and dead letters."""
    yield from send_by(state, "sweep", state.sweep)
    if state.sweep == IDLE:
        yield from _resend(state)
        yield from _give_up(state)
    for name in state.noted:
        if name in state.blobs or (name in state.unwanted and rows.may_come(state, name)):
            yield Step(f"delete {name}", rows.delete(state, name))
    for name in state.swept:
        yield Step(f"settle {name}", rows.settle_swept(state, name))
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


def broker_faults(state: State) -> Iterator[Step]:
    """The broker loses an event; or its dispatcher is stopped, and gives up what it held."""
    for event_id in set(state.broker):
        lost = state.taken(event_id).spent("faults")
        yield Step(f"lose {event_id}", lost, fault=True)
        yield Step(f"deliver twice {event_id}", lost.on_its_way(event_id).on_its_way(event_id), fault=True)
        yield Step(f"give back {event_id}", lost._replace(dead=state.dead | {(event_id, True)}), fault=True)
