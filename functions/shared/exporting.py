"""Exports traces and metrics over OTLP/HTTP, by the OpenTelemetry SDK; telemetry.py imports it when that is asked for.

The SDK reads all further OTEL_* variables by itself: headers, sampler, intervals, temporality. What of a trace goes
from process to process is the business of trace.py, with an exporter or without.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.shared import settings, trace
from functions.shared.metrics import METRICS, Kind, Metric
from functions.shared.telemetry import Span
from functions.shared.trace import Trace

__all__ = ["Exporter"]

_NAME = "audiolift"
_PROBES = ("/healthz", "/readyz")
# Others count as one (OpenTelemetry's semantic conventions for HTTP): a client may send what it likes.
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_MAX_NAME = 128
# What a gauge said is over when nobody has said it anew for so long.
_STALE_SECONDS = 300.0


class Exporter:
    """See telemetry.py. What it sends is of the function `service`, and of this process."""

    def __init__(self, service: str) -> None:
        resource = Resource.create({"service.name": service, "service.instance.id": uuid.uuid4().hex, **_revision()})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._traces.get_tracer(_NAME)
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._instruments = _Instruments(self._metrics.get_meter(_NAME), service)

    @contextmanager
    def span(self, name: str, kind: str, linked: Trace | None, attributes: Mapping[str, Any]) -> Iterator[_Step]:
        """A step of the current trace. Of an error, only the class is told: its words may be anybody's."""
        parent, links = trace.current(), [otel.Link(_context_of(linked))] if linked else []
        current = self._tracer.start_span(
            name[:_MAX_NAME], _in(parent), SpanKind[kind.upper()], _dotted(attributes), links
        )
        step = _Step(current)
        try:
            with trace.following(_trace_at(current.get_span_context())):
                yield step
        except BaseException as error:
            step.fail(type(error).__name__)
            raise
        finally:
            current.end()

    def observed(self, app: ASGIApp) -> ASGIApp:
        """The app, each of whose requests is a step that ends with the last byte of its answer."""

        async def observed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] in _PROBES:
                return await app(scope, receive, send)
            began, told = time.monotonic(), {"http.response.status_code": 0}

            async def telling(message: Message) -> None:
                if message["type"] == "http.response.start":
                    told["http.response.status_code"] = message["status"]
                await send(message)

            with trace.following(_asked(scope)), self.span(_method(scope), "server", None, {}) as step:
                _hand_on(scope)
                try:
                    await app(scope, receive, telling)
                finally:
                    self._told(step, scope, told, time.monotonic() - began)

        return observed

    def add(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        """To a counter or a histogram."""
        self._instruments.add(name, value, attributes)

    def show(self, name: str, values: Iterable[tuple[float, Mapping[str, str]]]) -> None:
        """What a gauge is now."""
        self._instruments.show(name, values)

    def serving(self) -> None:
        """Send the counters at 0 first, beside the loop: of what comes later, it is known that it is an increase."""
        threading.Thread(target=self._begin_counting, name="first metrics", daemon=True).start()

    def end(self, seconds: float) -> None:
        """Send what is left, beside the caller, who waits so long at most."""
        threads = [
            threading.Thread(target=_quietly, args=(provider.force_flush, int(seconds * 1000)), daemon=True)
            for provider in (self._traces, self._metrics)
        ]
        for thread in threads:
            thread.start()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _begin_counting(self) -> None:
        _quietly(self._metrics.force_flush)
        self._instruments.add("audiolift.starts", 1, {})
        self._instruments.add("audiolift.start.duration", _age_of_process(), {})

    def _told(self, step: _Step, scope: Scope, told: Mapping[str, int], seconds: float) -> None:
        about = {"http.request.method": _method(scope), "http.route": scope.get("audiolift.route", ""), **told}
        step.rename(f"{_method(scope)} {about['http.route']}".strip())
        step.note(**about, audiolift__request_id=_header(scope, b"x-request-id"))
        if told["http.response.status_code"] >= 500:
            step.fail(str(told["http.response.status_code"]))
        self._instruments.add("http.server.request.duration", seconds, about)


class _Step(Span):
    def __init__(self, span: otel.Span) -> None:
        self._span = span

    def note(self, **attributes: Any) -> None:
        self._span.set_attributes(_dotted(attributes))

    def fail(self, why: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, why))
        self._span.set_attribute("error.type", why)

    def rename(self, name: str) -> None:
        self._span.update_name(name[:_MAX_NAME])


class _Instruments:
    def __init__(self, meter: Meter, service: str) -> None:
        self._service = service
        self._shown: dict[str, tuple[float, list[Observation]]] = {}
        self._adding: dict[str, Any] = {}
        for metric in METRICS:
            self._make(meter, metric)

    def add(self, name: str, value: float, attributes: Mapping[str, Any]) -> None:
        self._adding[name](value, attributes)

    def show(self, name: str, values: Iterable[tuple[float, Mapping[str, str]]]) -> None:
        self._shown[name] = (time.monotonic(), [Observation(value, attributes) for value, attributes in values])

    def _make(self, meter: Meter, metric: Metric) -> None:
        about = {"name": metric.name, "unit": metric.unit, "description": metric.help}
        if metric.kind is Kind.GAUGE:
            meter.create_observable_gauge(callbacks=[self._observe(metric.name)], **about)
        elif metric.kind is Kind.HISTOGRAM:
            histogram = meter.create_histogram(explicit_bucket_boundaries_advisory=metric.buckets, **about)
            self._adding[metric.name] = histogram.record
        else:
            counter = meter.create_counter(**about)
            self._adding[metric.name] = counter.add
            for attributes in metric.begins if metric.by in (None, self._service) else ():
                counter.add(0, attributes)

    def _observe(self, name: str) -> Any:
        def observe(_options: CallbackOptions) -> list[Observation]:
            since, values = self._shown.get(name, (0.0, []))
            return values if time.monotonic() - since < _STALE_SECONDS else []

        return observe


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _asked(scope: Scope) -> Trace | None:
    return trace.parse(_header(scope, b"traceparent"), _header(scope, b"tracestate"))


def _hand_on(scope: Scope) -> None:
    """The request has the step as its header from here on: whoever reads it, or passes it on, follows the step."""
    followed = trace.current()
    kept = [pair for pair in scope["headers"] if pair[0] not in (b"traceparent", b"tracestate")]
    ours = followed.headers().items() if followed else ()
    scope["headers"] = [*kept, *((name.encode(), value.encode()) for name, value in ours)]


def _header(scope: Scope, name: bytes) -> str:
    found: Iterator[bytes] = (value for each, value in scope["headers"] if each == name)
    return next(found, b"").decode("latin-1")


def _in(parent: Trace | None) -> Context:
    return Context() if parent is None else otel.set_span_in_context(NonRecordingSpan(_context_of(parent)), Context())


def _context_of(followed: Trace) -> SpanContext:
    state = TraceState.from_header([followed.tracestate]) if followed.tracestate else TraceState()
    flags = TraceFlags(int(followed.traceparent[-2:], 16))
    return SpanContext(int(followed.trace_id, 16), int(followed.span_id, 16), True, flags, state)


def _trace_at(step: SpanContext) -> Trace | None:
    parent = f"00-{step.trace_id:032x}-{step.span_id:016x}-{step.trace_flags:02x}"
    return trace.parse(parent, step.trace_state.to_header())


def _dotted(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value not in (None, "")}


def _revision() -> dict[str, str]:
    revision = settings.text("K_REVISION")
    return {"service.version": revision} if revision else {}


def _age_of_process() -> float:
    """In seconds. The 22nd field of proc_pid_stat(5), counted after the name, which may have spaces in it."""
    begun = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun / 100


def _quietly(act: Any, *args: Any) -> None:
    # What a collector that is away does to us is in the SDK's own lines of the log.
    with suppress(Exception):
        act(*args)
