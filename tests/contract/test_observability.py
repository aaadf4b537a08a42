"""Dashboard, alerts and runbooks: they name metrics that there are, and lead somewhere."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.notify.notice_shapes import Outcome
from functions.shared import logs, trace
from functions.shared.jobs.states import State
from functions.shared.metrics import METRICS, Kind, Metric
from functions.shared.problems import PROBLEMS
from functions.shared.quotas import QUOTAS
from functions.shared.reasons import REASONS
from functions.shared.settings import SETTINGS
from functions.shared.trace import Trace
from tests.contract.test_docs import anchors
from tests.e2e.test_telemetry import STEPS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "knative" / "observability"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RUNBOOKS = ROOT / "docs" / "runbooks.md"
PAGE = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
# Of what Prometheus adds: who sent it, and the bucket of a histogram.
ADDED = {"job", "instance", "le"}
KNOWN: dict[str, set[str]] = {
    "state": set(State),
    "reason": set(REASONS),
    "problem": set(PROBLEMS),
    "outcome": set(Outcome),
    "quota": set(QUOTAS),
}
BY_NAME = {metric.prometheus: metric for metric in METRICS}

rules = pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))


def expressions() -> Iterator[str]:
    """All of the dashboard and of the alerts."""
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])


def named(expression: str) -> Iterator[tuple[Metric, str, str]]:
    """Each metric in an expression, what of a histogram is meant, and its matchers. Fails for one that is not ours."""
    for name, matchers in re.findall(
        r"\b((?:audiolift|http)_\w+)(?:\{([^}]*)\})?", re.sub(r"by \([^)]*\)", "", expression)
    ):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        metric = BY_NAME.get(name) or BY_NAME.get(base)
        assert metric, f"no metric is called {name} in Prometheus"
        yield metric, name.removeprefix(base), matchers


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_names_metrics_and_labels_that_there_are(expression: str) -> None:
    found = list(named(expression))
    assert found
    labels = {name.replace(".", "_") for metric, _, _ in found for name in metric.attributes} | ADDED
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    assert {label.strip() for group in grouped for label in group.split(",")} <= labels
    for metric, part, matchers in found:
        assert (part != "") == (metric.kind is Kind.HISTOGRAM)
        assert ("increase(" in expression or "rate(" in expression) == (metric.kind is not Kind.GAUGE)
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert label in labels
            assert set(values.split("|")) <= KNOWN.get(label, {"gateway"})
    assert all(expression.count(left) == expression.count(right) for left, right in ("()", "{}", "[]"))


@rules
def test_an_alert_has_a_runbook_and_says_what_is_wrong(rule: dict[str, Any]) -> None:
    page, _, heading = rule["annotations"]["runbook_url"].rpartition("#")
    assert page == "docs/runbooks.md"
    assert heading in anchors(RUNBOOKS)
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_each_runbook_is_for_one_alert() -> None:
    led_to = [rule["annotations"]["runbook_url"].rpartition("#")[2] for rule in RULES]
    assert sorted(led_to) == sorted(anchors(RUNBOOKS) - {"runbooks"})
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_dashboard_shows_every_metric() -> None:
    shown = {
        metric.name
        for panel in DASHBOARD["panels"]
        for each in panel["targets"]
        for metric, _, _ in named(each["expr"])
    }
    assert shown == {metric.name for metric in METRICS}


def test_the_line_of_the_docs_is_as_lines_are() -> None:
    (shown,) = re.findall(r"^```json\n(.*)\n```$", PAGE, re.MULTILINE)
    record = logging.LogRecord("a", logging.INFO, "f", 1, "m", (), None)
    with (
        trace.following(Trace(f"00-{'a' * 32}-{'b' * 16}-01")),
        logs.about(request_id="r", event_id="e", job_id="0" * 32),
    ):
        written = logs.formatter("json", "x").format(record)
    assert set(json.loads(shown)) == set(json.loads(written))


def test_the_spans_of_the_docs_are_those_that_the_collector_of_the_tests_waits_for() -> None:
    table = PAGE.split("## Traces")[1].split("\n\n")[2]
    shown = {name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    assert {name for _, name in STEPS} <= shown


def test_the_setting_of_the_docs_is_one_and_the_label_is_that_of_the_network_rule() -> None:
    (snippet,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert set(yaml.safe_load(snippet)["data"]) <= {setting.name for setting in SETTINGS}
    policies = (ROOT / "knative/base/network-policies.yaml").read_text()
    for label in re.findall(r"label namespace \S+ (\S+)=true", PAGE):
        assert f'{label}: "true"' in policies


def test_every_metric_is_measured_somewhere() -> None:
    code = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py") if path.name != "metrics.py")
    assert [metric.name for metric in METRICS if f'"{metric.name}"' not in code] == []


def test_series_that_are_there_from_the_start_are_sound() -> None:
    for metric in METRICS:
        assert all(set(each) == set(metric.attributes) for each in metric.begins), metric.name
        assert (metric.kind is Kind.COUNTER) == bool(metric.begins)
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
        assert {value for each in metric.begins for name, value in each.items() if name == "problem"} <= set(PROBLEMS)
