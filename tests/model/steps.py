"""What a step is, and what the processes' steps are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.state import IDLE, Process, State

__all__ = ["Step", "send", "send_by", "sent", "uploading", "working"]


class Step(NamedTuple):
    """Something that may happen: its name, what is then, and whether nothing but bad luck brings it about."""

    name: str
    state: State
    fault: bool = False
    actor: str = ""


def send_by(state: State, name: str, process: Process) -> Iterator[Step]:
    """What sweep, or the function that people ask for a retry (api), does to send an event."""
    for step in send(state, name, process):
        yield step._replace(state=_sending(step.state, name, sent(process, IDLE)))
    if process != IDLE and state.budget.faults:
        yield Step(f"kill {name}", _sending(state.spent("faults"), name, IDLE), fault=True)


def send(state: State, name: str, process: Process) -> Iterator[Step]:
    """outbox.send: the event goes out, and then its row is marked."""
    if process.at == "post" and process.sends:
        yield Step(f"{name} posts {process.sends}", state.on_its_way(process.sends))
    if process.at == "mark" and process.sends:
        event = state.event(process.sends)
        assert event
        yield Step(f"{name} marks {process.sends}", state.put(event._replace(sent=True)))


def _sending(state: State, name: str, process: Process) -> State:
    return state._replace(sweep=process) if name == "sweep" else state._replace(api=process)


def sent(process: Process, after: Process) -> Process:
    """Where a process is after a step of send."""
    return process._replace(at="mark") if process.at == "post" else after


def uploading(state: State, job: int, process: Process) -> State:
    """The same, with the upload of a job there."""
    uploaders = list(state.uploaders)
    uploaders[job] = process
    return state._replace(uploaders=tuple(uploaders))


def working(state: State, worker: int, process: Process) -> State:
    """The same, with a worker there. Workers are alike: their order says nothing."""
    workers = list(state.workers)
    workers[worker] = process
    return state._replace(workers=tuple(sorted(workers, key=repr)))
