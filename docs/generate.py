"""Writes the tables of docs/*.md, the OpenAPI document, and the page's states, anew from the code: `make docs`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else in a page is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

from docs import client_models, openapi
from docs.openapi import document
from events.catalogue import CATALOGUE
from events.schema import json_type
from functions.convert.conversion.tracks.choosing import RULES
from functions.gateway.contract import scope_of
from functions.gateway.limits.policies import POLICIES
from functions.shared.job_warnings import WARNINGS
from functions.shared.jobs.states import ENDED, State
from functions.shared.metrics import METRICS
from functions.shared.options import OPTIONS
from functions.shared.problems import PROBLEMS
from functions.shared.reasons import HINTS, REASONS
from functions.shared.scopes import FOR_KEYS, MEANINGS
from functions.shared.settings import SETTINGS
from functions.sweep.retention import RETENTIONS
from knative import capacity
from knative.local import kustomize, manifests

__all__ = ["STATES", "documents", "main", "states"]

HERE = Path(__file__).parent
BASE = HERE.parent / "knative" / "base"
OVERLAYS = HERE.parent / "knative" / "overlays"
STATES = HERE.parent / "functions" / "gateway" / "page" / "core" / "states.js"
_PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def main() -> None:
    """Write every page, the OpenAPI document, what is made of it, and the states."""
    made = {openapi.PATH: openapi.written(), client_models.PATH: client_models.written(), STATES: states()}
    for path, text in {**documents(), **made}.items():
        path.write_text(text, encoding="utf-8")


def documents() -> dict[Path, str]:
    """Each page with tables, and its whole text as it ought to be. Raises: KeyError for a table that nobody makes."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.md"))}
    return {path: _PLACE.sub(_filled, text) for path, text in pages.items() if _PLACE.search(text)}


def states() -> str:
    """The JavaScript module of the page that says what State and ENDED say here."""
    members = "".join(f'  {state.name}: "{state}",\n' for state in State)
    ended = ", ".join(f"State.{state.name}" for state in State if state in ENDED)
    return (
        "/** The states of a job. Made from functions/shared/jobs/states.py by `make docs`. */\n\n"
        f"export const State = Object.freeze({{\n{members}}});\n\n"
        f"/** In these nothing more happens by itself. */\nexport const ENDED = new Set([{ended}]);\n"
    )


def _filled(match: re.Match[str]) -> str:
    return f"{match[1]}{TABLES[match[2]]()}{match[3]}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


def _code(value: object) -> str:
    return f"`{value}`" if value != "" else ""


def _settings() -> str:
    rows = ((_code(setting.name), _code(setting.default), setting.help) for setting in SETTINGS)
    return _table(("Variable", "Default", "Meaning"), rows)


def _problems() -> str:
    rows = ((_code(code), *kind) for code, kind in PROBLEMS.items())
    return _table(("Code", "Status", "Title", "What to do"), rows)


def _reasons() -> str:
    rows = [
        (_code(code), title, advice)
        for code, (title, detail) in REASONS.items()
        for advice in (detail, *(text for about, text in HINTS.values() if about == code))
    ]
    return _table(("Code", "Title", "What to do"), rows)


def _warnings() -> str:
    return _table(("Code", "Text"), ((_code(code), text) for code, text in WARNINGS.items()))


def _metrics() -> str:
    rows = (
        (_code(each.name), each.kind.value, each.unit, each.help, ", ".join(map(_code, each.attributes)))
        for each in METRICS
    )
    return _table(("Metric", "Kind", "Unit", "What it says", "Attributes"), rows)


def _options() -> str:
    rows = ((_code(name), option.values.removeprefix("one of "), option.meaning) for name, option in OPTIONS.items())
    return _table(("Option", "Values", "Meaning"), rows)


def _tracks() -> str:
    rows = ((number, rule.before, rule.after, rule.warning or "") for number, rule in enumerate(RULES, 1))
    told = ((number, before, after, _code(warning)) for number, before, after, warning in rows)
    return _table(("", "A track that is …", "goes before one that is …", "Warning"), told)


def _operations() -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _routes() -> str:
    rows = (
        (
            _code(f"{method} {path}"),
            item["summary"],
            _code(scope_of(item) or ""),
            *_answers(item),
        )
        for method, path, item in _operations()
    )
    return _table(("Route", "What it does", "Scope", "Success", "Problems"), rows)


def _answers(operation: Mapping[str, Any]) -> tuple[str, str]:
    responses = operation["responses"]
    # Those that any route may answer are named once, in the text.
    return (
        ", ".join(status for status in responses if status < "400"),
        ", ".join(
            status for status in sorted(responses) if "400" <= status < "500" and status not in ("408", "429", "431")
        ),
    )


def _parameters() -> str:
    rows = (
        (_code(f"{method} {path}"), _code(each["name"]), each["in"], each["description"])
        for method, path, operation in _operations()
        for each in operation["parameters"]
        if each["in"] != "path" and each["name"] not in OPTIONS
    )
    return _table(("Route", "Name", "In", "Meaning"), rows)


def _scopes() -> str:
    rows = ((_code(scope), meaning, "yes" if scope in FOR_KEYS else "no") for scope, meaning in MEANINGS.items())
    return _table(("Scope", "What for", "For API keys"), rows)


def _job() -> str:
    job = document()["components"]["schemas"]["Job"]["properties"]
    rows = ((_code(name), schema["description"]) for name, schema in job.items())
    return _table(("Member", "Meaning"), rows)


def _events() -> str:
    rows = (
        (
            f"[`{each.TYPE}`](../events/schemas/{each.TYPE}.json)",
            _code(each.SOURCE),
            each.__doc__,
        )
        for each in CATALOGUE
    )
    return _table(("Type", "Source", "Says"), rows)


def _event_data() -> str:
    rows = (
        (
            _code(each.TYPE.removeprefix("dev.audiolift.")),
            _code(item.name),
            json_type(get_type_hints(each)[item.name]),
            "yes" if item.default is MISSING else "no",
            item.metadata["description"],
        )
        for each in CATALOGUE
        for item in fields(each)
    )
    return _table(("Event", "Member", "Type", "Required", "Meaning"), rows)


def _triggers() -> str:
    cluster = manifests.read(kustomize.render(BASE))
    rows = []
    for trigger in cluster.triggers:
        delivery = trigger.delivery
        waits = ", ".join(f"{delivery.wait_before(retry):g} s" for retry in range(1, delivery.retry + 1))
        dead = delivery.dead_letter_sink.name if delivery.dead_letter_sink else "nobody"
        wanted = ", ".join(trigger.attributes.values())
        rows.append((_code(trigger.name), _code(wanted), _code(trigger.subscriber.name), waits, _code(dead)))
    return _table(("Trigger", "Type", "To", "Waits before retries", "Dead letters to"), rows)


def _services() -> str:
    heads = ("Function", "Requests at a time", "Pods", "Time limit", "Asks for", "Gets at most")
    return _table(
        heads, (_sizes(each) for each in kustomize.render(BASE) if each["apiVersion"] == "serving.knative.dev/v1")
    )


def _sizes(service: Mapping[str, Any]) -> tuple[Any, ...]:
    template = service["spec"]["template"]
    spec, notes = template["spec"], template["metadata"]["annotations"]
    pods = " to ".join(notes[f"autoscaling.knative.dev/{bound}-scale"] for bound in ("min", "max"))
    resources = spec["containers"][0]["resources"]
    amounts = (
        ", ".join(f"{value} {name}" for name, value in resources[kind].items()) for kind in ("requests", "limits")
    )
    return service["metadata"]["name"], spec["containerConcurrency"], pods, f"{spec['timeoutSeconds']} s", *amounts


def _connections() -> str:
    found = capacity.demands(kustomize.render(OVERLAYS / "production"))
    rows, files = capacity.needed(found)
    each = [(item.function, item.pods, item.rows or "", item.files or "") for item in found]
    return _table(("Function", "Pods at most", "To MySQL", "To each server of MongoDB"), [*each, _total(rows, files)])


def _total(rows: int, files: int) -> tuple[Any, ...]:
    return f"**Needed**: twice that, {capacity.MIGRATION} to migrate, {capacity.OPERATOR} for you", "", rows, files


def _processors() -> str:
    asked = capacity.millicores(kustomize.render(OVERLAYS / "kind"))
    rows = [*asked.items(), ("together", sum(asked.values()))]
    return _table(("Of the overlay kind", "Cores"), ((what, f"{cores / 1000:.3f}") for what, cores in rows))


def _limits() -> str:
    return _table(
        ("Limit", "Counted by", "Quota", "Seconds", "What"),
        [(_code(each.name), each.by.value, f"{each.quota:,}", each.window, each.what) for each in POLICIES],
    )


def _retentions() -> str:
    return _table(("Table", "A row is kept"), ((_code(each.table.name), each.kept) for each in RETENTIONS))


TABLES: dict[str, Callable[[], str]] = {
    "metrics": _metrics,
    "settings": _settings,
    "limits": _limits,
    "problems": _problems,
    "reasons": _reasons,
    "warnings": _warnings,
    "options": _options,
    "tracks": _tracks,
    "routes": _routes,
    "parameters": _parameters,
    "scopes": _scopes,
    "job": _job,
    "events": _events,
    "data": _event_data,
    "triggers": _triggers,
    "services": _services,
    "connections": _connections,
    "processors": _processors,
    "retentions": _retentions,
}


if __name__ == "__main__":
    main()
