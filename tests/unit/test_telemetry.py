"""functions/shared/telemetry.py: what is done, and not, when nothing is exported; exporting.py, span by span."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from functions.shared import telemetry, trace
from functions.shared.exporting import Exporter
from functions.shared.starting import CannotStart
from functions.shared.trace import Trace
from tests.servers.collector import Collector

PARENT = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "congo=t61")
UNSAMPLED = Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")


@pytest.fixture(autouse=True)
def off(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without the setting."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.setattr(telemetry, "_exporting", None)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans that are made, as soon as they have ended."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        exporter, spans = Exporter("x"), InMemorySpanExporter()
        exporter._traces.add_span_processor(SimpleSpanProcessor(spans))
        monkeypatch.setattr(telemetry, "_exporting", exporter)
        yield spans
        exporter._traces.shutdown()
        exporter._metrics.shutdown()


def test_without_the_setting_nothing_is_done() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Nothing."""

    telemetry.begin("x")
    assert not telemetry.is_on()
    assert telemetry.observed(app) is app
    with trace.following(PARENT), telemetry.span("a") as step:
        step.note(b="c")
        step.fail("d")
        assert trace.current() is PARENT
    telemetry.count("no such metric")
    telemetry.end(1)


def test_a_function_that_cannot_export_what_it_is_told_to_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "functions.shared.exporting", None)
    with pytest.raises(CannotStart, match="OTEL_EXPORTER_OTLP_ENDPOINT is set, and"):
        telemetry.begin("x")


def test_a_step_is_a_child_of_the_current_trace_and_the_current_one_within(kept: InMemorySpanExporter) -> None:
    with trace.following(PARENT), telemetry.span("outer", "server"), telemetry.span("inner", cloudevents__event_id="7"):
        current = trace.current()
    assert current
    inner, outer = kept.get_finished_spans()
    assert inner.parent
    assert outer.parent
    assert (f"{outer.parent.span_id:016x}", inner.parent.span_id) == (PARENT.span_id, outer.context.span_id)
    assert (current.trace_id, current.span_id) == (PARENT.trace_id, f"{inner.context.span_id:016x}")
    assert current.tracestate == "congo=t61"
    assert dict(inner.attributes or {}) == {"cloudevents.event_id": "7"}


def test_a_trace_that_is_not_sampled_goes_on_without_spans(kept: InMemorySpanExporter) -> None:
    with trace.following(UNSAMPLED), telemetry.span("a"):
        current = trace.current()
    assert current
    assert (current.trace_id, current.traceparent[-2:]) == (UNSAMPLED.trace_id, "00")
    assert kept.get_finished_spans() == ()


def test_without_a_trace_one_begins(kept: InMemorySpanExporter) -> None:
    with trace.following(None), telemetry.span("a"):
        assert trace.current()
    (span,) = kept.get_finished_spans()
    assert span.parent is None


def test_of_an_error_only_the_class_is_told(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="anna"), telemetry.span("a"):
        raise ValueError("anna@example.com has no such file: diary.mp4")
    (span,) = kept.get_finished_spans()
    assert span.status.description == "ValueError"
    assert span.events == ()
    assert "anna" not in span.to_json()
