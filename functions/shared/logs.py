"""Lines of the log, as JSON or as plain text: each with the ids of what it is about, and none with what is private.

An id is that of a request, a job, an event or a trace, so that all lines about one are found by it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from functions.shared import api_keys, trace

__all__ = ["about", "formatter", "ids", "note"]

# They come from outside, too: what is no id by its form is left out. The subject of a stranger's event may be anything.
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_JOB = re.compile(r"[0-9a-f]{32}")
# Our code logs neither addresses nor tokens (tests/unit/test_discretion.py); what libraries say may hold some. In an
# URL, what stands before the @ is a password. The bounds are for lines that were made to take long.
_PRIVATE = (
    (re.compile(r"[^\s<>@/\"'`(),:;\[\]{}=]{1,128}@[A-Za-z0-9.-]+"), "…@…"),
    (re.compile(r"\beyJ[\w-]{1,512}\.[\w-]+\.[\w-]*"), "(token)"),
    (re.compile(rf"\b{api_keys.PATTERN}"), "(key)"),
)

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))


def ids() -> Mapping[str, str]:
    """What this task is about: request_id, job_id, event_id, as far as they are known."""
    return _ids.get()


def note(**found: str) -> None:
    """From now on, in this task, lines have these ids too."""
    sound = {name: value for name, value in found.items() if (_JOB if name == "job_id" else _ID).fullmatch(value)}
    _ids.set({**_ids.get(), **sound})


@contextmanager
def about(**found: str) -> Iterator[None]:
    """Within the block, in this thread, lines have these ids too."""
    token = _ids.set(_ids.get())
    note(**found)
    try:
        yield
    finally:
        _ids.reset(token)


def formatter(kind: str, service: str) -> logging.Formatter:
    """What writes the lines of a function, `service`: `kind` is one of the choices of LOG_FORMAT."""
    return _Json(service) if kind == "json" else _Text("%(levelname)s %(message)s")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _discreet(super().format(record))


class _Json(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": _discreet(record.getMessage()),
            **_ids.get(),
            **_of_trace(),
        }
        if record.exc_info:
            line["exception"] = _discreet(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _of_trace() -> dict[str, str]:
    followed = trace.current()
    return {"trace_id": followed.trace_id, "span_id": followed.span_id} if followed else {}


def _discreet(text: str) -> str:
    for pattern, instead in _PRIVATE:
        text = pattern.sub(instead, text)
    return text
