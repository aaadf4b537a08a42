"""The functions' own code, run step by step: each actor is a thread that stops before every transaction, every effect
on the blob store and every event that is sent, until it is told to go on, or to die.

A death is an exception that no handler gets around: whatever the code does next to the outside raises it again. So what
is in memory is dropped, and nothing is cleared up.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
import sqlalchemy as sa

from events.wire import Envelope
from functions.shared import blobs, database, publisher, table_types
from tests.patience import PATIENCE

__all__ = ["Actor", "Clock", "Dead", "rigged"]


class Dead(BaseException):
    """The process has been killed."""


class Clock:
    """The clock of functions and database, which tests put forward: by itself each moment just comes once."""

    start = datetime.now(UTC)
    ahead = timedelta()

    @classmethod
    def begin(cls) -> None:
        """Let it be now."""
        cls.start, cls.ahead = datetime.now(UTC), timedelta()

    @classmethod
    def now(cls, _tz: tzinfo | None = None) -> datetime:
        """The time, put forward."""
        cls.ahead += timedelta(microseconds=1)
        return cls.start + cls.ahead


class Actor(threading.Thread):
    """A process that does `work()`, once it is told to go on; `error` is what ended it, `is_over` whether it has.

    `outcome` is what its conversion comes to, if it is to convert something; `delivered` the event by which it does.
    """

    def __init__(self, work: Callable[[], object], outcome: str = "", delivered: Envelope | None = None) -> None:
        super().__init__(daemon=True)
        self.outcome, self.delivered = outcome, delivered
        self._work, self._go, self._stopped = work, threading.Semaphore(0), threading.Semaphore(0)
        self._statements: int | None = None
        self.killed = self.is_over = False
        self.error: Exception | None = None

    def run(self) -> None:
        """See Thread."""
        with suppress(Dead):
            self._go.acquire()
            try:
                self.check()
                self._work()
            except Exception as error:
                self.error = error
        self.is_over = True
        self._stopped.release()

    def go_on(self) -> None:
        """Let it come to its next stop, or to its end."""
        if not self.ident:
            self.start()
        self._go.release()
        assert self._stopped.acquire(timeout=PATIENCE), "an actor hangs"

    def kill(self, statements: int = -1) -> None:
        """Have it die where it stands; or, if it gets that far, after so many statements. It has to go on for that."""
        self._statements, self.killed = statements, statements < 0

    def stop(self) -> None:
        """Called by the actor itself."""
        self.check()
        self._stopped.release()
        self._go.acquire()
        self.check()

    def check(self) -> None:
        """Raises: Dead, once it is."""
        if self.killed:
            raise Dead

    def reach_statement(self) -> None:
        """Called by the actor itself, before each statement and commit, and after each commit."""
        self.check()
        if self._statements is not None:
            self._statements -= 1
            self.killed = self._statements < 0
            self.check()


@contextmanager
def rigged(post: Callable[[urllib.request.Request], int]) -> Iterator[None]:
    """Have the functions' code stop and die as its actor is told, and send events by `post`, which gives the status."""
    engine = database.engine()
    commit = engine.dialect.do_commit

    def committed(connection: Any) -> None:
        _statement()
        commit(connection)
        _statement()

    sa.event.listen(engine, "before_cursor_execute", _statement)
    sa.event.listen(engine, "before_cursor_execute", _at_this_time, retval=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", committed)
        patch.setattr(database, "transaction", _stopping(database.transaction))
        patch.setattr(database, "reading", _stopping(database.reading))
        store = _Blobs(blobs.store())
        patch.setattr(blobs, "store", lambda: store)
        patch.setattr(publisher, "_SINK", _Sink(post))
        patch.setattr(table_types, "datetime", Clock)
        table_types.go_by(None)
        patch.setattr(table_types, "go_by", lambda _: None)
        patch.setattr(time, "sleep", lambda _: _stop())
        Clock.begin()
        yield
    for listener in (_statement, _at_this_time):
        sa.event.remove(engine, "before_cursor_execute", listener)


def _statement(*_: Any) -> None:
    if isinstance(actor := threading.current_thread(), Actor):
        actor.reach_statement()


def _at_this_time(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
    """What asks the database for the time (`clock()` of table_types.py) is told that of Clock."""
    moment = f"{Clock.now():%Y-%m-%d %H:%M:%S.%f}"
    return statement.replace("'now'", f"'{moment}'").replace("UTC_TIMESTAMP(6)", f"TIMESTAMP '{moment}'"), parameters


def _stop() -> None:
    if isinstance(actor := threading.current_thread(), Actor):
        actor.stop()


def _stopping(function: Callable[..., Any]) -> Callable[..., Any]:
    def stopping(*args: Any, **kwargs: Any) -> Any:
        _stop()
        return function(*args, **kwargs)

    return stopping


class _Blobs:
    """A blob store before each of whose effects an actor stops."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return _stopping(getattr(self._store, name))

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        with self._store.writing(name) as writer:
            yield writer
            _stop()


class _Sink:
    """What K_SINK names."""

    def __init__(self, post: Callable[[urllib.request.Request], int]) -> None:
        self._post = post

    @contextmanager
    def open(self, request: urllib.request.Request, timeout: float) -> Iterator[Any]:
        _stop()
        yield type("Answer", (), {"status": self._post(request)})
