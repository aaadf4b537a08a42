"""Every state that a job's life can get into, by the model: all is well in each, and each leads to an end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model import rows, sweeping
from tests.model.explorer import Violation, explore
from tests.model.state import Budget, Event, Process, State, start


@pytest.mark.parametrize(
    ("jobs", "budget", "states"),
    [
        (1, Budget(faults=2), 20_000),
        (1, Budget(cancels=1, retries=1), 2_000),
        (1, Budget(faults=1, postpones=1), 5_000),
        (2, Budget(), 1_000),
    ],
)
def test_nothing_is_lost_and_nothing_is_done_twice(jobs: int, budget: Budget, states: int) -> None:
    found = explore(start(jobs, 2, budget))
    assert found.states > states
    assert found.resting


def unfenced(state: State, process: Process) -> bool:
    return state.jobs[process.job].state == "converting"


def unsettled(state: State, job: int, kind: str) -> State:
    token = state.jobs[job].token
    return state.put(Event((kind, job, token), job))


def same_token(state: State, job: int) -> State | None:
    row = state.jobs[job]
    if not rows.is_free(state, job):
        return None
    return state.job(job, state="converting", lease="live", attempts=row.attempts + 1)


def without_event(state: State, job: int) -> State | None:
    queued = ENQUEUE(state, job)
    return queued and queued._replace(events=())


def unasked(state: State, job: int) -> State | None:
    """retry, for any job that is over."""
    row = state.jobs[job]
    return RETRY(state.job(job, state="failed"), job) if row.state == "done" else RETRY(state, job)


ENQUEUE, RETRY = rows.enqueue, rows.retry


@pytest.mark.parametrize(
    ("name", "flaw", "budget", "said"),
    [
        ("held", unfenced, Budget(faults=2), "whose token is an old one"),
        ("_add", unsettled, Budget(), "events that have it converted"),
        ("claim", same_token, Budget(faults=2), "two workers have the newest token"),
        ("enqueue", without_event, Budget(), "events that have it converted"),
        ("retry", unasked, Budget(retries=1), "is gone|is to be deleted"),
    ],
)
def test_the_explorer_finds_what_a_flaw_in_the_protocol_leads_to(
    monkeypatch: pytest.MonkeyPatch, name: str, flaw: Callable[..., object], budget: Budget, said: str
) -> None:
    monkeypatch.setattr(rows, name, flaw)
    with pytest.raises(Violation, match=said):
        explore(start(1, 2, budget))


def test_without_sweep_a_job_whose_event_was_lost_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_resend", lambda _: ())
    with pytest.raises(Violation, match="never comes to rest"):
        explore(start(1, 1, Budget(faults=1)))
