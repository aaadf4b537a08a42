"""The OpenAPI document: it is valid, it covers the API, and the running system keeps to it."""

from __future__ import annotations

import html
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from docs.openapi import document, operations, written
from functions.gateway import contract
from functions.login.policy import MAX_PASSWORD, MIN_PASSWORD
from functions.shared.jobs.states import State
from functions.shared.operations import Access, Operation
from functions.shared.problems import PROBLEMS
from functions.shared.scopes import Scope
from tests.patience import PATIENCE
from tests.system import ROOT, Audiolift, User

EXAMPLES = document()["components"]["examples"]
API = schemathesis.openapi.from_dict(document())
BOUNDED = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# What a schema cannot say: a refresh token and a mailed one have to exist, a password to be none of the common ones,
# and whoever guesses has to wait; a cursor has to be one of ours, quality and bitrate exclude each other. A token
# that is none is passed over, and so are `null` and what comes twice in a query.
LISTS = tuple(f"GET /v1/admin/{each}" for each in ("dead-letters", "events", "jobs", "users", "audit"))
_LOOSEST = (positive_data_acceptance, negative_data_rejection)
LOOSE: dict[str, list[CheckFunction]] = {
    "POST /v1/users": [positive_data_acceptance],
    "POST /v1/users/verify": [positive_data_acceptance],
    # The code is in an SMS.
    "POST /v1/me/phone/confirm": [positive_data_acceptance],
    "POST /v1/password/reset": [positive_data_acceptance],
    "POST /v1/me/password": [positive_data_acceptance],
    "PATCH /v1/me": [positive_data_acceptance],
    "DELETE /v1/me": [positive_data_acceptance],
    "POST /v1/token/revoke": [negative_data_rejection],
    "POST /v1/token": [positive_data_acceptance],
    # A password, a code or a cookie has to be the right one.
    "POST /v1/session": [positive_data_acceptance],
    "POST /v1/session/oidc": [positive_data_acceptance],
    "POST /v1/session/renew": [positive_data_acceptance],
    "POST /v1/session/password": [positive_data_acceptance],
    "POST /v1/jobs": [positive_data_acceptance, negative_data_rejection],
    "POST /v1/jobs/{job_id}/retry": [positive_data_acceptance],
    # By another method, it is the job with the id `delete`, which nobody has.
    "POST /v1/jobs/delete": [positive_data_acceptance, unsupported_method, allow_header_conformance],
    "GET /v1/jobs": [positive_data_acceptance, negative_data_rejection],
    # Which headers go together, and that the version is one of them, is said by the protocol.
    "POST /v1/uploads": [*_LOOSEST],
    **{f"{each} /v1/uploads/{{upload_id}}": [*_LOOSEST] for each in ("HEAD", "PATCH", "DELETE")},
    # Services that are configured, of which there are none here.
    "PUT /v1/me/notifications": [positive_data_acceptance],
    "GET /v1/me/notices": [positive_data_acceptance, negative_data_rejection],
    "GET /v1/webhooks/{webhook_id}/deliveries": [positive_data_acceptance, negative_data_rejection],
    # A public address, and no more than twenty of them.
    "POST /v1/webhooks": [positive_data_acceptance],
    "PATCH /v1/webhooks/{webhook_id}": [positive_data_acceptance],
    # A key may have been used before.
    "POST /v1/batches": [positive_data_acceptance],
    # A time to come, and no more than twenty of them.
    "POST /v1/api-keys": [positive_data_acceptance],
    # A time to come, for a job that is done.
    "POST /v1/jobs/{job_id}/links": [positive_data_acceptance],
    # `ids`, or `all`, or some of the others.
    "POST /v1/admin/dead-letters/replay": [positive_data_acceptance],
    "POST /v1/admin/dead-letters/settle": [positive_data_acceptance],
    "POST /v1/admin/events/send": [positive_data_acceptance],
    **{each: [positive_data_acceptance, negative_data_rejection] for each in LISTS},
}
schemathesis.serializer.alias(["video/*", "audio/*", "application/offset+octet-stream"], "application/octet-stream")
OF_ANSWERS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def owner(audiolift: Audiolift) -> User:
    """Whose token the requests bring along: an operator, who may call everything."""
    user = audiolift.user()
    rows = {"DATABASE_URL": f"sqlite:///{audiolift.data}/audiolift.db"}
    command = [sys.executable, "-m", "functions.login.operators", "--grant", user.email]
    subprocess.run(command, cwd=ROOT, env=rows, check=True)
    user.http.headers["Authorization"] = f"Bearer {user.sign_in()['access_token']}"
    return user


@pytest.fixture(scope="module")
def session(owner: User) -> Iterator[requests.Session]:
    """The connection of the requests."""
    with requests.Session() as session:
        session.headers["Authorization"] = owner.http.headers["Authorization"]
        # What is for the page alone is asked for in its name.
        session.headers["Sec-Fetch-Site"] = "same-origin"
        yield session


@pytest.fixture(scope="module")
def done(owner: User, video: Path) -> dict[str, Any]:
    """A finished job of that user."""
    return owner.convert(video)


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_what_is_committed_is_what_the_routes_declare() -> None:
    assert contract.DOCUMENT.read_text(encoding="utf-8") == written(), "run: make docs"


def test_limits_and_states_are_those_of_the_functions() -> None:
    schemas = document()["components"]["schemas"]
    password = schemas["NewUser"]["properties"]["password"]
    assert (password["minLength"], password["maxLength"]) == (MIN_PASSWORD, MAX_PASSWORD)
    assert schemas["Job"]["properties"]["state"]["enum"] == [*State]


def test_a_token_is_asked_for_where_the_route_says_so() -> None:
    declared = {(each.method, each.path): each.scope for _, each in operations()}
    assert {(each.method, each.path): each.scope for each in contract.operations()} == declared


def test_every_operation_that_takes_a_token_has_a_scope_and_no_other_has() -> None:
    assert {
        each.path for _, each in operations() if (each.access is Access.TOKEN) is not (each.scope is not None)
    } == set()
    assert {each.path for each in contract.operations() if each.scope is None} == {
        # What the protocol has everybody told: OPTIONS.
        "/v1/uploads",
        "/v1/users",
        "/v1/users/verify",
        "/v1/password/forgot",
        "/v1/password/reset",
        "/v1/token",
        "/v1/token/revoke",
        # Of a browser's session, by its cookie or to set it.
        "/v1/session",
        "/v1/session/oidc",
        "/v1/session/renew",
        "/v1/oidc",
        "/v1/oidc/start",
        "/v1/oidc/callback",
        "/v1/oidc/loopback",
        "/v1/oidc/device",
        "/v1/oidc/device/token",
        "/.well-known/jwks.json",
        "/v1/files/<signed>",
        "/v1/archives/<signed>",
        "/v1/unsubscribe/<unsubscription>",
    }


def test_only_what_is_for_operators_is_under_their_address() -> None:
    assert {each.path.startswith("/v1/admin/") for each in contract.operations() if each.scope is Scope.ADMIN} == {True}
    assert {each.scope for each in contract.operations() if each.path.startswith("/v1/admin")} == {Scope.ADMIN}


@pytest.mark.parametrize(("function", "operation"), operations(), ids=lambda each: getattr(each, "path", each))
def test_a_handler_takes_what_its_route_declares(function: str, operation: Operation) -> None:
    parts = set(re.findall(r"<(\w+)>", operation.path))
    described = {each.name for taken in operation.takes for each in taken.parameters if each.place == "path"}
    by_token = {"user_id"} if operation.access is Access.TOKEN else set()
    _request, *arguments = inspect.signature(operation.handler).parameters
    assert described == parts
    assert set(arguments) - {"body", "form", "query"} == parts | by_token
    assert inspect.getdoc(operation.handler), f"{function}: its docstring is its summary"


@pytest.mark.parametrize("operation", [each for _, each in operations()], ids=lambda each: each.path)
def test_every_body_and_every_parameter_has_an_example_that_fits(operation: Operation) -> None:
    found = document()["paths"][re.sub(r"<(\w+)>", r"{\1}", operation.path)][operation.method.lower()]
    bodies = [*found.get("requestBody", {}).get("content", {}).values()]
    bodies += [each for status in found["responses"].values() for each in status.get("content", {}).values()]
    for body in (each for each in bodies if each["schema"] and not isinstance(each.get("example"), str)):
        for value in [body["example"]] if "example" in body else [EXAMPLES[name]["value"] for name in body["examples"]]:
            jsonschema.validate(value, {**body["schema"], "components": document()["components"]})
    for parameter in found["parameters"]:
        jsonschema.validate(parameter["example"], {**parameter["schema"], "components": document()["components"]})


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_has_a_page_where_its_type_leads(audiolift: Audiolift, code: str) -> None:
    path = EXAMPLES[code]["value"]["type"].removeprefix("http://localhost:8080")
    page = requests.get(f"{audiolift.url}{path}", timeout=PATIENCE)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert html.escape(PROBLEMS[code].title) in page.text


def test_the_gateway_serves_it(audiolift: Audiolift) -> None:
    served = requests.get(f"{audiolift.url}/v1/openapi.json", timeout=PATIENCE)
    assert served.headers["Content-Type"] == "application/json"
    assert served.json() == document()


# A stream that goes on for as long as it may is read in test_live.py.
@API.exclude(path="/v1/jobs/events").parametrize()
@BOUNDED
def test_the_running_system_keeps_to_it(
    case: schemathesis.Case[Any], audiolift: Audiolift, session: requests.Session
) -> None:
    loose = LOOSE.get(case.operation.label, [])
    case.call_and_validate(base_url=audiolift.url, session=session, excluded_checks=loose)


# A zip is of several jobs, and has a link of its own.
@API.include(path_regex="job_id|signed").exclude(path_regex="link_id|archives").parametrize()
@BOUNDED
def test_it_also_holds_for_a_job_that_exists(
    case: schemathesis.Case[Any],
    audiolift: Audiolift,
    session: requests.Session,
    owner: User,
    video: Path,
    done: dict[str, Any],
) -> None:
    job = owner.upload(video) if case.method == "DELETE" else done
    known = {"job_id": job["id"], "signed": done["links"]["download"].rpartition("/")[2]}
    case.path_parameters = {name: known[name] for name in case.path_parameters}
    answer = case.call_and_validate(base_url=audiolift.url, session=session, checks=OF_ANSWERS)
    assert answer.status_code != 404
