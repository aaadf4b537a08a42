"""The state of the protocol's model: what is in the database, the blob store and the broker, and where each process is.

What a process has in memory is its `Process`; a crash drops that, and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["IDLE", "Budget", "Event", "Id", "Job", "Process", "State", "audio", "owner", "start", "video"]

# How often an event may be on its way at once.
MOST_COPIES = 2

# Kind (V video.uploaded, A audio.created, F conversion.failed), the job that it was first about, its generation.
Id = tuple[str, int, int]


class Job(NamedTuple):
    """A row of jobs. `lease` is none, live or over; `audio` the token of the claim whose MP3 the row names."""

    state: str = "none"
    token: int = 0
    lease: str = "none"
    attempts: int = 0
    audio: int | None = None
    accepted: bool = False


class Event(NamedTuple):
    """A row of the outbox. `about` is the job that it is about now: two jobs may have exchanged their events."""

    id: Id
    about: int
    sent: bool = False
    settled: bool = False


class Process(NamedTuple):
    """Where a process is, with what: a job, under a token, by the delivery of an event; an event that it sends."""

    at: str = "idle"
    job: int = -1
    token: int = -1
    delivery: Id | None = None
    sends: Id | None = None


IDLE = Process()


class Budget(NamedTuple):
    """What may still go wrong, and what people may still do: each step of that kind takes one."""

    faults: int = 0
    cancels: int = 0
    retries: int = 0
    postpones: int = 0


class State(NamedTuple):
    """All of it. `broker` has an event as often as it is on its way; `dead` says whether a later try may go well.

    `unwanted` are the files that are noted as such; `swept` those that were deleted, and may be stored after that.
    """

    jobs: tuple[Job, ...]
    events: tuple[Event, ...]
    blobs: frozenset[str]
    unwanted: frozenset[str]
    swept: frozenset[str]
    broker: tuple[Id, ...]
    dead: frozenset[tuple[Id, bool]]
    told: frozenset[Id]
    uploaders: tuple[Process, ...]
    workers: tuple[Process, ...]
    sweep: Process
    api: Process
    budget: Budget

    def job(self, number: int, **values: object) -> State:
        """The same, with values of a job changed."""
        jobs = list(self.jobs)
        jobs[number] = jobs[number]._replace(**values)  # type: ignore[arg-type]
        return self._replace(jobs=tuple(jobs))

    def event(self, event_id: Id) -> Event | None:
        """A row of the outbox, or None."""
        return next((event for event in self.events if event.id == event_id), None)

    def put(self, *changed: Event) -> State:
        """The same, with these rows in the outbox."""
        ids = {event.id for event in changed}
        return self._replace(events=tuple(sorted([*(e for e in self.events if e.id not in ids), *changed])))

    def of(self, number: int, kind: str = "VAF") -> list[Event]:
        """The unsettled events about a job, of these kinds."""
        return [e for e in self.events if e.about == number and not e.settled and e.id[0] in kind]

    def settled(self, number: int) -> State:
        """The same, with all events about a job settled."""
        return self.put(*(event._replace(settled=True) for event in self.of(number)))

    def on_its_way(self, event_id: Id) -> State:
        """The same, with an event in the broker, unless that has enough copies of it."""
        if self.broker.count(event_id) >= MOST_COPIES:
            return self
        return self._replace(broker=tuple(sorted([*self.broker, event_id])))

    def taken(self, event_id: Id) -> State:
        """The same, without one copy of an event in the broker."""
        left = list(self.broker)
        left.remove(event_id)
        return self._replace(broker=tuple(left))

    @property
    def noted(self) -> frozenset[str]:
        """What is noted as unwanted."""
        return self.unwanted | self.swept

    def without(self, name: str) -> State:
        """The same, once this blob is deleted, and nobody will store it any more."""
        gone = {name}
        return self._replace(blobs=self.blobs - gone, unwanted=self.unwanted - gone, swept=self.swept - gone)

    def spent(self, what: str) -> State:
        """The same, with one less of a budget."""
        return self._replace(budget=self.budget._replace(**{what: getattr(self.budget, what) - 1}))


def video(number: int) -> str:
    """The name of a job's video."""
    return f"v{number}"


def audio(number: int, token: int) -> str:
    """The name that the claim with this token writes a job's MP3 under."""
    return f"a{number}.{token}"


def owner(name: str) -> int:
    """The number of the job that a blob is of."""
    return int(name[1:].partition(".")[0])


def start(jobs: int, workers: int, budget: Budget) -> State:
    """Nothing has happened."""
    nothing: frozenset[str] = frozenset()
    idle = ((IDLE,) * jobs, (IDLE,) * workers, IDLE, IDLE)
    return State((Job(),) * jobs, (), nothing, nothing, nothing, (), frozenset(), frozenset(), *idle, budget)
