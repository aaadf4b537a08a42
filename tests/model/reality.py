"""The functions' code under the model's eyes: whatever it does, the model must be able to do, too."""

from __future__ import annotations

import functools
import re
import threading
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import sqlalchemy as sa

import functions.convert.engine as engine
import functions.convert.sandbox.nursery as nursery
from events.catalogue import AudioCreated, ConversionFailed, JobEvent, VideoUploaded
from events.wire import Envelope, read
from functions.convert import main as convert
from functions.convert.errors import Crash, Unfinished
from functions.convert.result import Converted
from functions.notify import fanout
from functions.shared import blobs, database, outbox, unwanted
from functions.shared.jobs import claims, duplicates, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import jobs, now, unwanted_blobs
from functions.shared.tables import outbox as rows
from functions.sweep import dead_letters, events, files
from functions.upload import intake
from tests.model import state as model
from tests.model.actors import Actor, Clock
from tests.model.processes import steps
from tests.model.state import IDLE, Budget, Event, Id, Job, State, start

__all__ = ["OUTCOMES", "World", "instant"]

_KINDS: dict[str, type[JobEvent]] = {"V": VideoUploaded, "A": AudioCreated, "F": ConversionFailed}
_LETTERS = {kind.TYPE: letter for letter, kind in _KINDS.items()}
_NAME = re.compile(r"(video|audio)/([0-9a-f]+)(?:\.([0-9]+))?")
MOST_STEPS, MOST_TOKENS = 3, 40
_ENDLESS = Budget(99, 99, 99, 99)
# What a conversion comes to: an MP3, or one of these.
OUTCOMES: dict[str, BaseException | None] = {
    "done": None,
    "failed": Failure("no-audio"),
    "crash": Crash("of the engine"),
    "away": Unavailable("the store is away"),
    "unfinished": Unfinished(),
}
# What is abstracted from it: jobs, events, blobs, and which of these are unwanted.
View = tuple[tuple[Job, ...], frozenset[Event], frozenset[str], frozenset[str]]


class World:
    """What is real: the stores. `broker` and `letters` are what is on its way, and what the broker gave up.

    `possible` are the states that the model may be in after all that happened.
    """

    def __init__(self, users: list[str], workers: int) -> None:
        self.users, self.ids = users, [""] * len(users)
        self.broker: list[Envelope] = []
        self.letters: list[tuple[Envelope, str]] = []
        self.possible = {start(len(users), workers, _ENDLESS)}
        # Who is at work: upload, convert, sweep or people; by which delivery, if by one.
        self.actors: list[tuple[str, Actor, Any]] = []
        self.trace: list[str] = []

    def post(self, request: urllib.request.Request) -> int:
        """The sink takes an event."""
        assert isinstance(request.data, bytes)
        self.broker.append(read(dict(request.header_items()), request.data))
        return 202

    def upload(self, number: int) -> Callable[[], None]:
        """What upload does with a request, from the job's first row on."""

        def work() -> None:
            job_id, _ = intake.open_job(self.users[number], "talk.mp4", {}, None, "")
            claim = claims.claim_upload(job_id)
            with blobs.store().writing(claim.video) as writer:
                writer.write(b"video")
            with intake.whole(claim):
                event_id = duplicates.take_in(claim, "talk.mp4", {}, 5, "ab" * 32)
            outbox.send(event_id)

        return work

    def convert(self, envelope: Envelope) -> Callable[[], None]:
        """What convert does with a delivery; the conversion comes at once to what its actor says."""
        return lambda: convert.on_uploaded(envelope)

    def record(self, envelope: Envelope, code: str) -> Callable[[], None]:
        """What sweep does with a dead letter."""
        return lambda: dead_letters.record(envelope.with_attributes(knativeerrorcode=code, knativeerrordest="x"))

    def sweep(self) -> None:
        """What sweep does with a tick, as far as the model has it."""
        events.send_again()
        files.forget_unfinished()
        files.delete_unwanted()

    def cancel(self, number: int) -> None:
        """What download does for an owner who cancels."""
        if transitions.cancel(self.ids[number]):
            unwanted.delete_of(self.ids[number])

    def retry(self, number: int) -> None:
        """What upload does for an owner who retries."""
        if event_id := transitions.retry(self.ids[number]):
            outbox.send(event_id)

    def tell(self, envelope: Envelope) -> None:
        """What notify does with a delivery."""
        fanout.tell(envelope.attributes["subject"], _KINDS[_LETTERS[envelope.type]])

    def pass_time(self, seconds: float) -> None:
        """Put the clock forward."""
        Clock.ahead += timedelta(seconds=seconds)

    def observe(self, what: str, *actors: str) -> None:
        """Fail unless the model can do, by steps of these actors, what was just done."""
        self.trace.append(what)
        view = self._view()
        before = self.possible
        reached = _reached(before, actors)
        fits = self._fitting()
        self.possible = {state for state in reached if fits(state) and _seen(state) == view}
        alike = sum(_seen(state) == view for state in reached)
        assert self.possible, (
            f"the model cannot do what happened: {self.trace}\nit is now {view}, as in {alike} states of the model\n"
            f"it was one of {len(before)}, for example {min(before, key=repr)}"
        )

    def jobs(self) -> list[Any]:
        """The rows of the jobs that there are."""
        with database.reading() as connection:
            found = {row.id: row for row in connection.execute(jobs.select().order_by(jobs.c.created_at))}
        for job_id, row in found.items():
            self.ids[self.users.index(row.user_id)] = job_id
        return list(found.values())

    def event(self, envelope: Envelope) -> Id:
        """The model's name of an event."""
        if envelope.id not in _names(tuple(self.ids)):
            self.jobs()
        return _names(tuple(self.ids))[envelope.id]

    def _fitting(self) -> Callable[[State], bool]:
        """Whether as many are at work in a state as in reality, and the broker and sweep have the same before them."""
        kinds = Counter(kind for kind, *_ in self.actors)
        queued = Counter(map(self.event, self.broker))
        # Also what was delivered by a dispatcher that died since: whoever got it may be about to claim its job.
        held = Counter(self.event(actor.delivered) for _, actor, _ in self.actors if actor.delivered)
        waiting = self._dead(self.letters)
        read = self._dead(letter for kind, _, letter in self.actors if kind == "sweep" and letter)
        most = model.MOST_COPIES

        def fits(state: State) -> bool:
            copies = Counter(state.broker)
            return (
                all(number <= kinds[kind] for kind, number in _busy(state))
                and all(min(queued[each], most) <= copies[each] for each in queued)
                and all(copies[each] <= queued[each] + held[each] for each in copies)
                and waiting <= state.dead <= waiting | read
            )

        return fits

    def _dead(self, letters: Iterable[tuple[Envelope, str]]) -> set[tuple[Id, bool]]:
        return {(self.event(envelope), code in dead_letters.TRANSIENT) for envelope, code in letters}

    def _view(self) -> View:
        found = {row.id: row for row in self.jobs()}
        with database.reading() as connection:
            messages = connection.execute(rows.select()).all()
            noted = connection.execute(sa.select(unwanted_blobs.c.name)).scalars().all()
        names = _names(tuple(self.ids))
        stored = frozenset(filter(None, (self._short(blob.name) for blob in blobs.store().all())))
        seen = (
            Event(names[m.event_id], self.ids.index(m.job_id), bool(m.sent_at), bool(m.settled_at)) for m in messages
        )
        gone = frozenset(filter(None, map(self._short, noted)))
        return tuple(_job(job_id, found.get(job_id)) for job_id in self.ids), frozenset(seen), stored, gone & stored

    def _short(self, name: str) -> str:
        match = _NAME.fullmatch(name)
        if not match or match[2] not in self.ids:
            return ""
        number = self.ids.index(match[2])
        return f"v{number}" if match[1] == "video" else f"a{number}.{match[3]}"


@contextmanager
def instant() -> Iterator[None]:
    """Have conversions come to an end at once: each to the `outcome` of its actor."""
    with (
        mock.patch.object(nursery, "warm"),
        mock.patch.object(engine, "convert", _engine),
        mock.patch.object(model, "MOST_COPIES", 3),
    ):
        yield


def _engine(claim: claims.Claim) -> Converted:
    actor = threading.current_thread()
    assert isinstance(actor, Actor)
    if error := OUTCOMES[actor.outcome]:
        raise error
    blobs.store().size(claim.video)
    with blobs.store().writing(claim.audio) as writer:
        writer.write(b"audio")
    return Converted(Audio(5, "cd" * 32, 1.0))


@functools.lru_cache(8)
def _names(ids: tuple[str, ...]) -> dict[str, Id]:
    """The model's names of all events that there may be, by their ids."""
    found = {}
    for number, job_id in enumerate(ids):
        for letter, kind in _KINDS.items():
            for token in range(MOST_TOKENS):
                name = uuid.uuid5(outbox._NAMESPACE, f"{job_id}/{kind.TYPE}/{token}")
                found[str(name)] = (letter, number, token)
    return found


def _job(job_id: str, row: Any) -> Job:
    if row is None:
        return Job("gone" if job_id else "none")
    lease = "none" if row.lease_until is None else "live" if row.lease_until > now() else "over"
    token = int(row.audio.rpartition(".")[2]) if row.audio else None
    return Job(row.state, row.fencing_token, lease, row.attempts, token)


def _seen(state: State) -> View:
    """What of a state is in the stores."""
    plain = tuple(row._replace(accepted=False) for row in state.jobs)
    plain = tuple(Job(row.state) if row.state == "gone" else row for row in plain)
    shown = frozenset(event for event in state.events if state.jobs[event.about].state != "gone")
    return plain, shown, state.blobs, state.noted & state.blobs


def _busy(state: State) -> Iterator[tuple[str, int]]:
    """How many of each kind are at work."""
    yield "upload", sum(process.at not in ("idle", "gone") for process in state.uploaders)
    yield "convert", sum(process != IDLE for process in state.workers)
    yield "sweep", int(state.sweep != IDLE)
    yield "people", int(state.api != IDLE)


def _reached(states: set[State], actors: tuple[str, ...]) -> set[State]:
    """The states that are reached from these by a few steps of these actors: more does not fit between two stops."""
    reached, newest = set(states), set(states)
    for _ in range(MOST_STEPS):
        newest = {after for state in newest for after in _after(state, actors)} - reached
        reached |= newest
    return reached


@functools.lru_cache(100_000)
def _after(state: State, actors: tuple[str, ...]) -> tuple[State, ...]:
    done = (step for step in steps(state, actors) if "kill" in actors or not step.name.startswith("kill"))
    return tuple(step.state._replace(budget=_ENDLESS) for step in done)
