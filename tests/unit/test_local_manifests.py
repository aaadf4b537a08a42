"""Reading objects: what does not fit together is said at the start, with the name of the object."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from knative.local.cluster import DeliverySpec, Probe
from knative.local.durations import go_duration, iso_duration
from knative.local.errors import ManifestError
from knative.local.kustomize import Manifest, render
from knative.local.manifests import read
from knative.local.pingsource import check_schedule, envelope
from knative.local.runner import DEFAULT_OVERLAY


@pytest.fixture
def objects() -> list[Manifest]:
    return copy.deepcopy(render(DEFAULT_OVERLAY))


def find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """The object of that kind and name."""
    return next(each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize(
    ("kind", "name", "path", "value", "message"),
    [
        ("Trigger", "audio-created", "spec/subscriber/ref/name", "nobody", "names the Service nobody"),
        ("Trigger", "audio-created", "spec/delivery/deadLetterSink/ref/name", "nobody", "names the Service nobody"),
        ("Trigger", "audio-created", "spec/broker", "other", "names the Broker other"),
        ("Trigger", "audio-created", "spec/filters", [], "spec.filters is ignored"),
        ("Trigger", "audio-created", "spec/delivery/backoffDelay", "10s", "is not an ISO 8601 duration"),
        ("Trigger", "audio-created", "spec/subscriber", {}, "ref is missing"),
        ("Policy", "unwanted", "spec/applyTo", "streams", "Policy unwanted: applyTo must be one of"),
        ("PingSource", "sweep", "spec/sink/ref/kind", "Deployment", "must be a Service or a Broker"),
        ("PingSource", "sweep", "spec/sink/ref/name", "nobody", "names the Service nobody"),
        ("SinkBinding", "emitters", "spec/sink/ref/name", "nobody", "names the Broker nobody"),
        ("SinkBinding", "emitters", "spec/subject/kind", "Deployment", "the subject must be Services"),
        ("ConfigMap", "audiolift-config", "metadata/name", "other", "needs the ConfigMap audiolift-config"),
        ("Service", "convert", "spec/template/spec/containers", [], "Service convert: not enough values"),
        ("Service", "convert", "spec/template/spec/containerConcurrency", "x", "Service convert: invalid literal"),
        ("Service", "convert", "kind", "StatefulSet", "does not know this kind"),
        ("Service", "convert", "metadata/namespace", "other", "must be in one namespace"),
    ],
)
def test_what_does_not_fit_is_said(
    objects: list[Manifest], kind: str, name: str, path: str, value: Any, message: str
) -> None:
    place: Any = find(objects, kind, name)
    *parents, last = path.split("/")
    for parent in parents:
        place = place[parent]
    place[last] = value
    with pytest.raises(ManifestError, match=message):
        read(objects)


def test_knatives_defaults_hold_where_a_service_says_nothing() -> None:
    service = read(
        [
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Service",
                "metadata": {"name": "plain"},
                "spec": {"template": {"spec": {"containers": [{"command": ["true"]}]}}},
            }
        ]
    ).services["plain"]
    assert (service.timeout, service.response_start_timeout, service.idle_seconds) == (300, 300, 60)
    assert (service.concurrency, service.min_scale) == (100, 0)
    # queue-proxy's own rhythm, and only a connection; nobody asks whether it is alive.
    assert service.readiness == Probe(path=None, delay=0, period=0, timeout=1, failures=3, successes=1)
    assert (service.liveness, service.idle_timeout) == (None, None)


def test_a_probe_says_how_it_is_asked(objects: list[Manifest]) -> None:
    (container,) = find(objects, "Service", "login")["spec"]["template"]["spec"]["containers"]
    rhythm = {"periodSeconds": 7, "timeoutSeconds": 5, "failureThreshold": 4, "initialDelaySeconds": 3}
    container["livenessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}, **rhythm}
    container["readinessProbe"] = {"tcpSocket": {}, **rhythm, "successThreshold": 2}
    login = read(objects).services["login"]
    assert login.liveness == Probe(path="/healthz", delay=3, period=7, timeout=5, failures=4, successes=1)
    assert login.readiness == Probe(path=None, delay=3, period=7, timeout=5, failures=4, successes=2)


def test_liveness_has_the_rhythm_of_kubernetes_unless_said_otherwise(objects: list[Manifest]) -> None:
    (container,) = find(objects, "Service", "login")["spec"]["template"]["spec"]["containers"]
    container["livenessProbe"] = {"httpGet": {"path": "healthz"}}
    liveness = read(objects).services["login"].liveness
    assert liveness == Probe(path="/healthz", delay=0, period=10, timeout=1, failures=3, successes=1)


@pytest.mark.parametrize(
    ("probe", "value", "message"),
    [
        ("startupProbe", {"httpGet": {"path": "/"}}, "does not know startupProbe"),
        ("livenessProbe", {"exec": {"command": ["true"]}}, "does not know exec of a livenessProbe"),
        (
            "livenessProbe",
            {"httpGet": {"path": "/", "scheme": "HTTPS"}},
            "does not know httpGet.scheme of a",
        ),
        ("readinessProbe", {"grpc": {"port": 1}}, "does not know grpc of a readinessProbe"),
        ("readinessProbe", {"httpGet": {"path": "/"}, "timeoutSeconds": 5}, "needs periodSeconds too"),
        ("readinessProbe", {"httpGet": {"path": "/"}, "failureThreshold": 5}, "needs periodSeconds too"),
    ],
)
def test_a_probe_that_is_not_understood_is_an_error(
    objects: list[Manifest], probe: str, value: dict[str, Any], message: str
) -> None:
    find(objects, "Service", "login")["spec"]["template"]["spec"]["containers"][0][probe] = value
    with pytest.raises(ManifestError, match=f"Service login: .*{message}"):
        read(objects)


def test_the_answer_must_begin_within_300_seconds_unless_said_otherwise(objects: list[Manifest]) -> None:
    del find(objects, "Service", "convert")["spec"]["template"]["spec"]["responseStartTimeoutSeconds"]
    convert = read(objects).services["convert"]
    assert (convert.timeout, convert.response_start_timeout) == (600, 300)


def test_the_waits_between_retries() -> None:
    """As Knative: exponential is delay x 2^n, linear is delay x n, n counted from 1."""
    assert [DeliverySpec(backoff=10).wait_before(n) for n in (1, 2, 3)] == [20, 40, 80]
    assert [DeliverySpec(backoff=10, exponential=False).wait_before(n) for n in (1, 2, 3)] == [10, 20, 30]


def test_a_trigger_without_delivery_retries_nothing_and_one_without_retry_five_times(objects: list[Manifest]) -> None:
    del find(objects, "Trigger", "audio-created")["spec"]["delivery"]
    find(objects, "Trigger", "video-uploaded")["spec"]["delivery"] = {}
    retries = {trigger.name: trigger.delivery.retry for trigger in read(objects).triggers}
    assert (retries["audio-created"], retries["video-uploaded"]) == (0, 5)


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT10S", 10), ("PT0.2S", 0.2), ("PT11M", 660), ("P1DT1H", 90_000), ("PT1H1M1S", 3661)]
)
def test_iso_durations(text: str, seconds: float) -> None:
    assert iso_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "10", "PT10", "-PT1S", "PT1S ", "P1M"])
def test_what_is_no_iso_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 8601 duration"):
        iso_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("15m", 900), ("1h30m", 5400), ("500ms", 0.5), ("0s", 0)])
def test_go_durations(text: str, seconds: float) -> None:
    assert go_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "s", "1 m", "1d", "-1s", "1m!"])
def test_what_is_no_go_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        go_duration(text)


def test_a_ping_is_the_event_that_knative_sends(objects: list[Manifest]) -> None:
    (source,) = read(objects).ping_sources
    ping = envelope(source, "audiolift")
    assert (ping.type, ping.source) == (
        "dev.knative.sources.ping",
        "/apis/v1/namespaces/audiolift/pingsources/sweep",
    )
    assert ping.data == b"{}"
    assert envelope(source, "audiolift").id != ping.id


@pytest.mark.parametrize(("field", "value"), [("schedule", "every minute"), ("timezone", "Mars/Olympus")])
def test_a_schedule_that_cannot_be_understood(objects: list[Manifest], field: str, value: str) -> None:
    find(objects, "PingSource", "sweep")["spec"][field] = value
    (source,) = read(objects).ping_sources
    with pytest.raises(ManifestError, match="PingSource sweep"):
        check_schedule(source)
