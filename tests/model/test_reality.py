"""The code of the functions, killed between any two steps, on both databases: it does no more than the model can do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from functions.shared import database
from functions.shared.blobs import Blobs
from functions.shared.jobs.states import ENDED, State
from functions.shared.problems import Unavailable
from functions.shared.tables import metadata
from functions.sweep import files
from tests.model.actors import Actor, rigged
from tests.model.reality import OUTCOMES, World, instant
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "secrets")

JOBS, WORKERS, ROUNDS = 2, 2, 40
# The same lives each time.
FAITHFUL = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
    print_blob=True,
)
LEASE_SECONDS, DAY = 20, 86_400.0
# How the dispatcher names that a delivery was cut off, or put off.
CODES: dict[type[Exception], str] = {ConnectionResetError: "-1", Unavailable: "503"}
WHICH = st.integers(0, 5)


@pytest.fixture
def post_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where mails are kept."""
    monkeypatch.setenv("SMTP_URL", f"file://{tmp_path}/mail")
    monkeypatch.setenv("K_SINK", "http://sink.invalid")
    monkeypatch.setenv("MAX_ATTEMPTS", "2")
    monkeypatch.setenv("LEASE_SECONDS", str(LEASE_SECONDS))
    return tmp_path / "mail"


def test_whatever_dies_between_any_two_steps_nothing_is_lost_and_nothing_is_done_twice(
    store: Blobs, post_box: Path
) -> None:
    run_state_machine_as_test(lambda: Life(store, post_box), settings=FAITHFUL)  # type: ignore[arg-type]


class Life(RuleBasedStateMachine):
    """Two jobs of two users; two conversions at a time; all that people, time, the broker and death do to them."""

    def __init__(self, store: Blobs, post_box: Path) -> None:
        super().__init__()
        self.store, self.post_box = store, post_box
        self.rig: Any = None

    @initialize(queued=st.lists(st.integers(0, JOBS - 1), unique=True))
    def begin(self, queued: list[int]) -> None:
        """Empty stores, but for jobs that are queued."""
        with database.transaction() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        for blob in self.store.all():
            self.store.delete(blob.name)
        for mail in self.post_box.glob("*"):
            mail.unlink()
        self.world = World([rows.user() for _ in range(JOBS)], WORKERS)
        self.rig = ExitStack()
        self.rig.enter_context(rigged(self.world.post))
        self.rig.enter_context(instant())
        self.uploaded: set[int] = set()
        for job in queued:
            self.upload(job)
            self._to_the_end(self.world.actors[-1])

    @rule(job=st.integers(0, JOBS - 1))
    def upload(self, job: int) -> None:
        if job not in self.uploaded:
            self.uploaded.add(job)
            self._begin("upload", self.world.upload(job), job)

    @precondition(lambda self: self.rig and self.world.broker)
    @rule(which=WHICH, outcome=st.sampled_from(sorted(OUTCOMES)))
    def deliver(self, which: int, outcome: str) -> None:
        broker = self.world.broker
        envelope = broker[which % len(broker)]
        if self.world.event(envelope)[0] != "V":
            broker.remove(envelope)
            self.world.tell(envelope)
            self.world.observe(f"tell {self.world.event(envelope)}", "notify")
        elif sum(kind == "convert" for kind, *_ in self.world.actors) < WORKERS:
            broker.remove(envelope)
            self._begin("convert", self.world.convert(envelope), envelope, outcome)

    @precondition(lambda self: self.rig and self.world.letters)
    @rule(which=WHICH)
    def bury(self, which: int) -> None:
        if not any(kind == "sweep" for kind, *_ in self.world.actors):
            envelope, code = self.world.letters.pop(which % len(self.world.letters))
            self._begin("sweep", self.world.record(envelope, code), (envelope, code))

    @rule()
    def sweep(self) -> None:
        if not any(kind == "sweep" for kind, *_ in self.world.actors):
            self._begin("sweep", self.world.sweep, None)

    @rule(job=st.integers(0, JOBS - 1), what=st.sampled_from(["cancel", "retry"]))
    def ask(self, job: int, what: str) -> None:
        if self.world.ids[job] and not any(kind == "people" for kind, *_ in self.world.actors):
            self._begin("people", lambda: getattr(self.world, what)(job), None)

    @precondition(lambda self: self.rig and self.world.actors)
    @rule(which=WHICH, times=st.integers(1, 8), again=st.booleans())
    def go_on(self, which: int, times: int, again: bool) -> None:
        kind, actor, about = self.world.actors[which % len(self.world.actors)]
        for _ in range(times):
            if not actor.is_over:
                self._go_on(kind, actor, about, again)

    @precondition(lambda self: self.rig and self.world.actors)
    @rule(which=WHICH, statements=st.integers(-1, 15), again=st.booleans())
    def kill(self, which: int, statements: int, again: bool) -> None:
        kind, actor, about = self.world.actors[which % len(self.world.actors)]
        actor.kill(statements)
        while not actor.is_over:
            self._go_on(kind, actor, about, again)

    @precondition(lambda self: self.rig and self.world.broker)
    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        del self.world.broker[which % len(self.world.broker)]
        self._observe("an event is lost", "broker")

    @precondition(lambda self: self.rig and any(kind == "convert" for kind, *_ in self.world.actors))
    @rule()
    def lose_the_dispatcher(self) -> None:
        """What it held comes again, and nobody hears how the deliveries end."""
        for place, (kind, actor, envelope) in enumerate(self.world.actors):
            if kind == "convert" and envelope:
                self.world.broker.append(envelope)
                self.world.actors[place] = (kind, actor, None)
        self._observe("the dispatcher dies", "convert", "broker")

    @precondition(lambda self: self.rig and any(kind == "convert" and about for kind, _, about in self.world.actors))
    @rule(steps=st.integers(1, 12), outcome=st.sampled_from(sorted(OUTCOMES)))
    def overtake(self, steps: int, outcome: str) -> None:
        """A conversion stands still for longer than its lease, and its event comes again, to another one."""
        slow = next(each for each in self.world.actors if each[0] == "convert" and each[2])
        for _ in range(steps):
            if not slow[1].is_over:
                self._go_on(*slow, True)
        if slow[1].is_over or sum(kind == "convert" for kind, *_ in self.world.actors) == WORKERS:
            return
        self.wait(LEASE_SECONDS + 1)
        self.lose_the_dispatcher()
        envelope = self.world.broker.pop()
        before = [actor for _, actor, _ in self.world.actors]
        self._begin("convert", self.world.convert(envelope), envelope, outcome)
        for other in [each for each in self.world.actors if each[1] not in before]:
            for _ in range(steps):
                if not other[1].is_over:
                    self._go_on(*other, True)

    @rule(seconds=st.sampled_from([1.0, LEASE_SECONDS + 1.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self._observe(f"{seconds} s go by", "time")

    def teardown(self) -> None:
        """All that is under way ends, and sweep heals the rest."""
        if self.rig is None:
            return
        try:
            self._come_to_rest()
            self._check()
        finally:
            self.rig.close()

    def _begin(self, kind: str, work: Callable[[], object], about: Any, outcome: str = "") -> None:
        delivered = about if kind == "convert" else None
        self.world.actors.append((kind, Actor(work, outcome, delivered), about))

    def _to_the_end(self, entry: tuple[str, Actor, Any]) -> None:
        for _ in range(100):
            if not entry[1].is_over:
                self._go_on(*entry, True)

    def _go_on(self, kind: str, actor: Actor, about: Any, again: bool) -> None:
        actor.go_on()
        if actor.is_over:
            if actor.killed:
                actor.error = ConnectionResetError()
            self._end(kind, actor, about, again)
        by = self.world.event(about) if kind == "convert" and about else about or ""
        what = f"{kind} {by} {'is killed' if actor.killed else 'goes on'}{', and ends' if actor.is_over else ''}"
        self._observe(what, kind, *(["kill", "broker"] if actor.killed else []))

    def _observe(self, what: str, *actors: str) -> None:
        more = ("sweep",) if actors[0] == "people" else ()
        self.world.observe(what, *actors, *more)

    def _end(self, kind: str, actor: Actor, about: Any, again: bool) -> None:
        """What the dispatcher does with the event of a delivery that has ended."""
        self.world.actors.remove((kind, actor, about))
        if kind == "convert" and about and actor.error is not None:
            if again:
                self.world.broker.append(about)
            else:
                self.world.letters.append((about, CODES.get(type(actor.error), "500")))

    def _come_to_rest(self) -> None:
        for kind, actor, about in list(self.world.actors):
            for _ in range(200):
                if not actor.is_over:
                    actor.go_on()
                    self.world.pass_time(1)
            self._end(kind, actor, about, True)
        for _ in range(ROUNDS):
            if self._is_over():
                return
            self.world.pass_time(2000)
            while self.world.letters:
                self.world.record(*self.world.letters.pop())()
            self.world.sweep()
            while self.world.broker:
                self._deliver_now()

    def _is_over(self) -> bool:
        found = self.world.jobs()
        live = [row.id for row in found if row.state not in ENDED]
        return not live and not [kind for row in found for kind in rows.unsettled(row.id)]

    def _deliver_now(self) -> None:
        envelope = self.world.broker.pop()
        if self.world.event(envelope)[0] != "V":
            return self.world.tell(envelope)
        actor = Actor(self.world.convert(envelope), "done")
        while not actor.is_over:
            actor.go_on()
            self.world.pass_time(0.5)
        if actor.error:
            self.world.letters.append((envelope, "500"))
        return None

    def _check(self) -> None:
        self.world.pass_time(DAY)
        files.forget_unfinished()
        files.delete_orphans()
        files.delete_unwanted()
        found = self.world.jobs()
        assert all(row.state in ENDED for row in found), [row.state for row in found]
        assert not [kind for row in found for kind in rows.unsettled(row.id)]
        kept = {row.audio for row in found if row.audio} | {
            row.video for row in found if row.state != State.DONE and row.video
        }
        assert {blob.name for blob in self.store.all()} == kept
        for row in found:
            done = [mail for mail in self.post_box.glob("*.eml") if f"{row.id}" in mail.read_text()]
            completed = rows.history(row.id).count(State.DONE)
            assert completed == (row.state == State.DONE)
            assert row.state != State.DONE or done, "nobody was told"
