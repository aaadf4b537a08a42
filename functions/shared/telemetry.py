"""Traces and metrics, when OTEL_EXPORTER_OTLP_ENDPOINT says where to send them; without it, next to nothing happens.

The rest of the code knows this module alone. What exports (exporting.py) is imported at the start of a process that has
such a setting, and by no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from starlette.types import ASGIApp

from functions.shared import settings
from functions.shared.starting import CannotStart
from functions.shared.trace import Trace

__all__ = ["Exporting", "Span", "begin", "count", "end", "is_on", "observed", "record", "serving", "show", "span"]


class Span:
    """A step of a trace that is under way. This one is kept nowhere."""

    def note(self, **attributes: Any) -> None:
        """Say more about it. In the names, two underscores stand for a dot."""

    def fail(self, why: str) -> None:
        """It went wrong, though nothing was raised."""


class Exporting(Protocol):
    """What exports: see the functions of this module."""

    def span(
        self, name: str, kind: str, linked: Trace | None, attributes: Mapping[str, Any]
    ) -> AbstractContextManager[Span]: ...
    def observed(self, app: ASGIApp) -> ASGIApp: ...
    def add(self, name: str, value: float, attributes: Mapping[str, str]) -> None: ...
    def show(self, name: str, values: Iterable[tuple[float, Mapping[str, str]]]) -> None: ...
    def serving(self) -> None: ...
    def end(self, seconds: float) -> None: ...


_NOWHERE = Span()
_exporting: Exporting | None = None


def begin(service: str) -> None:
    """Export from now on, if there is somebody to export to. Raises: CannotStart when what that takes is missing."""
    global _exporting
    if not settings.text("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from functions.shared.exporting import Exporter
    except ImportError as error:
        raise CannotStart(f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {error.name} is not installed") from error
    _exporting = Exporter(service)


def is_on() -> bool:
    """Whether anything is exported."""
    return _exporting is not None


def span(
    name: str, kind: str = "internal", linked: Trace | None = None, **attributes: Any
) -> AbstractContextManager[Span]:
    """A step of the current trace; within the block, the current trace is at that step.

    Args: `kind` is one of OpenTelemetry's (server, client, producer, consumer, internal); `linked` is another trace
    that has to do with it; in the names of `attributes`, two underscores are a dot. Nothing personal goes in.
    """
    return nullcontext(_NOWHERE) if _exporting is None else _exporting.span(name, kind, linked, attributes)


def observed(app: ASGIApp) -> ASGIApp:
    """An app of which each request is a step of its trace; the app itself when nothing is exported."""
    return app if _exporting is None else _exporting.observed(app)


def count(name: str, value: float = 1, **attributes: str) -> None:
    """Add to a counter of METRICS."""
    if _exporting is not None:
        _exporting.add(name, value, attributes)


def record(name: str, value: float, **attributes: str) -> None:
    """Add a value to a histogram of METRICS; `value` is in its unit."""
    if _exporting is not None:
        _exporting.add(name, value, attributes)


def show(name: str, *values: tuple[float, Mapping[str, str]]) -> None:
    """What a gauge of METRICS is now, for each set of attributes; what it was before is over."""
    if _exporting is not None:
        _exporting.show(name, values)


def serving() -> None:
    """This process takes requests from now on."""
    if _exporting is not None:
        _exporting.serving()


def end(seconds: float) -> None:
    """Send what is left, within so many seconds. Never raises."""
    if _exporting is not None:
        _exporting.end(seconds)
