"""Dashboard, alerts and runbooks: they name metrics that there are, and lead somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.notify.notice_shapes import Outcome
from functions.shared.jobs.states import State
from functions.shared.metrics import METRICS, Kind, Metric
from functions.shared.problems import PROBLEMS
from functions.shared.quotas import QUOTAS
from functions.shared.reasons import REASONS
from tests.contract.test_docs import anchors

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "knative" / "observability"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RUNBOOKS = ROOT / "docs" / "runbooks.md"
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


def test_every_metric_is_measured_somewhere() -> None:
    code = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py") if path.name != "metrics.py")
    assert [metric.name for metric in METRICS if f'"{metric.name}"' not in code] == []


def test_series_that_are_there_from_the_start_are_sound() -> None:
    for metric in METRICS:
        assert all(set(each) == set(metric.attributes) for each in metric.begins), metric.name
        assert (metric.kind is Kind.COUNTER) == bool(metric.begins)
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
        assert {value for each in metric.begins for name, value in each.items() if name == "problem"} <= set(PROBLEMS)
