"""An OpenTelemetry collector's place: takes traces and metrics in by OTLP/HTTP, and keeps them to be looked at."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.listening import Listening, Quiet

__all__ = ["Collector", "KeptSpan", "Point"]


@dataclass(frozen=True)
class KeptSpan:
    """A span as it came; ids in hexadecimal, `parent` "" for none."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    status: int
    attributes: dict[str, Any] = field(compare=False, hash=False)
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """One value of a metric: a sum, a gauge, or the count of a histogram."""

    service: str
    name: str
    attributes: dict[str, Any]
    value: float


class Collector(Listening):
    """Answers every export with 200; `spans` and `points` are what came."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.spans: list[KeptSpan] = []
        self.points: list[Point] = []
        self.bodies: list[bytes] = []

    def environment(self, soon: int = 200) -> dict[str, str]:
        """What has a function export here, every so many milliseconds."""
        often = {"OTEL_BSP_SCHEDULE_DELAY": str(soon), "OTEL_METRIC_EXPORT_INTERVAL": str(soon)}
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, **often}

    def of(self, trace: str) -> list[KeptSpan]:
        """The spans of a trace, by its id."""
        return [span for span in list(self.spans) if span.trace == trace]

    def latest(self, name: str, **attributes: str) -> float | None:
        """The newest value of a metric whose attributes include these, or None."""
        found = [point for point in list(self.points) if point.name == name]
        return next((each.value for each in reversed(found) if attributes.items() <= each.attributes.items()), None)

    def take(self, path: str, body: bytes) -> None:
        """Keep what one request brings."""
        self.bodies.append(body)
        if path == "/v1/traces":
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/metrics":
            self.points += _points(ExportMetricsServiceRequest.FromString(body))


class _Handler(Quiet):
    server: Collector
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.take(self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _spans(request: Any) -> Iterator[KeptSpan]:
    for resource in request.resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield KeptSpan(
                service,
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.status.code,
                _attributes(span.attributes),
                tuple(link.trace_id.hex() for link in span.links),
            )


def _points(request: Any) -> Iterator[Point]:
    for resource in request.resource_metrics:
        service = _attributes(resource.resource.attributes)["service.name"]
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                yield Point(service, metric.name, _attributes(point.attributes), _value(point))


def _value(point: Any) -> float:
    if hasattr(point, "bucket_counts"):
        return float(point.count)
    return float(getattr(point, point.WhichOneof("value")))


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
