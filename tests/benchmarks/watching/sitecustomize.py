"""Notes what a process of a function does, and when: Python imports this at its start, where a benchmark says so.

Each note is a line of JSON in the file $WATCHED. A step has `what`, `by` (the function), `at` (Unix seconds) and
`seconds`; a round trip to a store, or a statement or commit of SQLite, has `trip` instead of `what`. See watched.py.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

_SERVER = "functions.shared.server"
_PATH = os.environ.get("WATCHED", "")


# In a thread that only looks whether stores are there: how often probes come has nothing to do with a job.
_probing = threading.local()


def _note(**values: Any) -> None:
    if "trip" in values and getattr(_probing, "on", False):
        return
    # One write to a file that is open for appending: lines of several processes do not mix.
    os.write(_file(), (json.dumps({"by": _name(), **values}) + "\n").encode())


@functools.cache
def _file() -> int:
    return os.open(_PATH, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@functools.cache
def _name() -> str:
    words = sys.orig_argv
    return words[words.index(_SERVER) + 1] if _SERVER in words else "another"


def _timed(owner: Any, *names: str) -> None:
    """Have each call of these functions noted, when it has ended."""
    for name in names:
        setattr(owner, name, _noting(getattr(owner, name), name))


def _noting(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        begun = time.time()
        try:
            return function(*args, **named)
        finally:
            _note(what=what, at=begun, seconds=time.time() - begun)

    return run


def _rows(module: ModuleType) -> None:
    """SQLite: MySQL's round trips are counted where they are made."""
    event, engine = module.sa.event, module.sa.Engine

    def executed(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if connection.dialect.name == "sqlite":
            _note(trip=_words(statement))

    def ended(what: str, connection: Any) -> None:
        if connection.dialect.name == "sqlite":
            _note(trip=what)

    ping = module.ping

    def probe() -> None:
        _probing.on = True
        try:
            ping()
        finally:
            _probing.on = False

    vars(module)["ping"] = probe
    event.listen(engine, "before_cursor_execute", executed)
    event.listen(engine, "commit", functools.partial(ended, "COMMIT"))


def _mysql(module: ModuleType) -> None:
    execute, commands = module.Connection._execute_command, module.COMMAND
    names = {value: name for name, value in vars(commands).items() if name.startswith("COM_")}

    @functools.wraps(execute)
    def run(connection: Any, command: int, sql: Any) -> Any:
        text = sql.decode(errors="replace") if isinstance(sql, bytes | bytearray) else str(sql)
        _note(trip=_words(text) if command == commands.COM_QUERY else names[command].removeprefix("COM_"))
        return execute(connection, command, sql)

    module.Connection._execute_command = run


def _words(statement: str) -> str:
    """What a statement does, to which table: `UPDATE jobs`."""
    words = statement.replace("`", "").split()
    verb = words[0].upper()
    before = {"SELECT": "FROM", "INSERT": "INTO", "DELETE": "FROM"}.get(verb, verb)
    found = [after for word, after in itertools.pairwise(words) if word.upper() == before]
    return f"{verb} {found[0]}" if found and verb in ("SELECT", "INSERT", "DELETE", "UPDATE") else verb


def _mongo(module: ModuleType) -> None:
    class Listener(module.CommandListener):  # type: ignore[name-defined,misc]
        def started(self, event: Any) -> None:
            if event.command_name != "ping":
                _note(trip=f"GridFS: {event.command_name}")

        def succeeded(self, event: Any) -> None:
            pass

        def failed(self, event: Any) -> None:
            pass

    module.register(Listener())


def _worker(module: ModuleType) -> None:
    run = module.Worker.run

    class Fetching:
        def __init__(self, source: Any) -> None:
            self.size, self.seconds, self._source = source.size, 0.0, source

        def fetch(self, ranges: Any) -> Any:
            begun = time.time()
            try:
                return self._source.fetch(ranges)
            finally:
                self.seconds += time.time() - begun

    @functools.wraps(run)
    def watched(worker: Any, job: Any, source: Any, *more: Any) -> Any:
        fetching, begun = Fetching(source), time.time()
        try:
            return run(worker, job, fetching, *more)
        finally:
            _note(what="fetch", at=begun, seconds=fetching.seconds)

    module.Worker.run = watched


_HOOKS: dict[str, Callable[[ModuleType], None]] = {
    "functions.shared.database": _rows,
    "pymysql.connections": _mysql,
    "pymongo.monitoring": _mongo,
    "functions.shared.publisher": lambda module: _timed(module, "publish"),
    "functions.shared.subscriber": lambda module: _timed(module, "deliver"),
    "functions.shared.jobs.transitions": lambda module: _timed(module, "queue", "finish"),
    "functions.shared.jobs.claims": lambda module: _timed(module, "claim_turn"),
    "functions.convert.engine": lambda module: _timed(module, "convert"),
    "functions.convert.result": lambda module: _timed(module.Result, "store"),
    "functions.convert.sandbox.worker": _worker,
}


class _Loader(importlib.abc.Loader):
    """Loads a module as its own loader does, and hooks in."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _HOOKS[module.__name__](module)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name in _HOOKS else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


if _PATH and _name() != "another":
    sys.meta_path.insert(0, _Finder())
