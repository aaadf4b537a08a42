"""Every metric of every function: one tuple. docs/observability.md, the dashboard and the alerts are held to it.

What a process counts, it counts itself. What is true of the whole deployment, however many processes there are, is read
from the rows by sweep (functions/sweep/gauges.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ["METRICS", "RECENT_SECONDS", "Kind", "Metric"]

# The window of what sweep counts as recent.
RECENT_SECONDS = 900
# Of units in braces nothing is left.
_UNITS = {"s": "seconds", "1": "ratio"}


class Kind(Enum):
    """How a metric adds up."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    # Of the whole deployment, by sweep: take the maximum over its processes, not the sum.
    GAUGE = "gauge"


@dataclass(frozen=True)
class Metric:
    """One metric: its name, how it adds up, its unit (UCUM), what it says, and the names of its attributes.

    `begins` are the attributes of series that are there from the start, at 0: of a series that begins with its first
    increment, Prometheus sees no increase, and most processes here count once or twice. `by` is the one function that
    counts, if it is one.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    attributes: tuple[str, ...] = ()
    begins: tuple[Mapping[str, str], ...] = ()
    by: str | None = None
    buckets: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """Its name in Prometheus, as the OpenTelemetry specification has it made of name, unit and kind."""
        unit, total = _UNITS.get(self.unit), "total" if self.kind is Kind.COUNTER else None
        return "_".join(filter(None, [self.name.replace(".", "_"), unit, total]))


# What alerts are about.
_PRESSING = ("quota-exceeded", "too-busy", "too-many-requests", "storage-full", "internal", "unavailable")
_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LONG = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

METRICS = (
    Metric(
        "http.server.request.duration",
        Kind.HISTOGRAM,
        "s",
        "From a request's head until the last byte of its answer.",
        ("http.request.method", "http.route", "http.response.status_code"),
        buckets=_SHORT,
    ),
    Metric("audiolift.starts", Kind.COUNTER, "{start}", "Processes that began to serve: cold starts.", begins=({},)),
    Metric(
        "audiolift.start.duration",
        Kind.HISTOGRAM,
        "s",
        "From the beginning of a process until it takes requests.",
        buckets=_SHORT,
    ),
    Metric(
        "audiolift.event.age",
        Kind.HISTOGRAM,
        "s",
        "How old events are when they are delivered.",
        ("type",),
        buckets=_LONG,
    ),
    Metric("audiolift.conversion.duration", Kind.HISTOGRAM, "s", "How long conversions take.", buckets=_LONG),
    Metric(
        "audiolift.lease.takeovers",
        Kind.COUNTER,
        "{job}",
        "Jobs that were taken from a conversion which gave no sign of life for a lease: killed, or cut off.",
        begins=({},),
        by="convert",
    ),
    Metric(
        "audiolift.refusals",
        Kind.COUNTER,
        "{request}",
        "Requests that were answered with a problem, by its code.",
        ("problem",),
        tuple({"problem": code} for code in _PRESSING),
    ),
    Metric(
        "audiolift.notices",
        Kind.COUNTER,
        "{notice}",
        "Tries to tell an owner, by channel and how they ended.",
        ("channel", "outcome"),
        tuple({"channel": "mail", "outcome": outcome} for outcome in ("sent", "refused", "put-off", "unclear")),
        by="notify",
    ),
    Metric("audiolift.queue.age", Kind.GAUGE, "s", "How long the job that has waited longest has waited."),
    Metric("audiolift.queue.fill", Kind.GAUGE, "1", "Jobs that are not over, as a share of MAX_QUEUED_JOBS."),
    Metric("audiolift.jobs", Kind.GAUGE, "{job}", "Jobs that are not over, by state.", ("state",)),
    Metric(
        "audiolift.jobs.ended",
        Kind.GAUGE,
        "{job}",
        f"Jobs that were done or failed in the last {RECENT_SECONDS // 60} minutes, by state and reason.",
        ("state", "reason"),
    ),
    Metric("audiolift.outbox.age", Kind.GAUGE, "s", "How old the oldest event is that the broker did not take yet."),
    Metric("audiolift.outbox.waiting", Kind.GAUGE, "{event}", "Events without effect yet, sent or not."),
    Metric("audiolift.deadletters", Kind.GAUGE, "{letter}", "Dead letters that are not over, by state.", ("state",)),
    Metric(
        "audiolift.mails",
        Kind.GAUGE,
        "{mail}",
        f"Tries to mail an owner in the last {RECENT_SECONDS // 60} minutes, by how they ended.",
        ("outcome",),
    ),
    Metric(
        "audiolift.accounts.pressed",
        Kind.GAUGE,
        "{account}",
        "Accounts that have nine tenths of a quota or more; counted once an hour.",
        ("quota",),
    ),
)
