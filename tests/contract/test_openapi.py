"""The OpenAPI document: it is valid, it covers the API, and the running system keeps to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.gateway.openapi import OPERATIONS, document
from functions.gateway.schemas import SCHEMAS
from functions.gateway.table import TABLE
from functions.login.accounts import MAX_PASSWORD, MIN_PASSWORD
from functions.shared.jobs.states import State
from tests.patience import PATIENCE
from tests.system import Audiolift, User

API = schemathesis.openapi.from_dict(document())
BOUNDED = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# What a schema cannot say: a refresh token has to exist, a cursor to be one of ours, quality and bitrate exclude each
# other. And names in a query or a form that are none of ours are passed over.
LOOSE: dict[str, list[CheckFunction]] = {
    "POST /v1/token": [positive_data_acceptance],
    "POST /v1/jobs": [positive_data_acceptance, negative_data_rejection],
    "GET /v1/jobs": [positive_data_acceptance, negative_data_rejection],
}
schemathesis.serializer.alias(["video/*", "audio/*"], "application/octet-stream")
OF_ANSWERS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def owner(audiolift: Audiolift) -> User:
    """Whose token the requests bring along."""
    return audiolift.user()


@pytest.fixture(scope="module")
def session(owner: User) -> Iterator[requests.Session]:
    """The connection of the requests."""
    with requests.Session() as session:
        session.headers["Authorization"] = owner.http.headers["Authorization"]
        yield session


@pytest.fixture(scope="module")
def done(owner: User, video: Path) -> dict[str, Any]:
    """A finished job of that user."""
    return owner.convert(video)


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_it_covers_exactly_what_the_gateway_forwards() -> None:
    assert set(OPERATIONS) == {(method, path) for method, path, _service, _signed_in in TABLE}


def test_a_token_is_asked_for_where_the_gateway_asks_for_one() -> None:
    for method, path, _service, signed_in in TABLE:
        operation = document()["paths"][re.sub(r"<(\w+)>", r"{\1}", path)][method.lower()]
        assert ({"token": []} in operation["security"]) == signed_in


def test_limits_and_states_are_those_of_the_functions() -> None:
    password = SCHEMAS["NewUser"]["properties"]["password"]
    assert (password["minLength"], password["maxLength"]) == (MIN_PASSWORD, MAX_PASSWORD)
    assert SCHEMAS["Job"]["properties"]["state"]["enum"] == [*State]


def test_the_gateway_serves_it(audiolift: Audiolift) -> None:
    served = requests.get(f"{audiolift.url}/v1/openapi.json", timeout=PATIENCE)
    assert served.headers["Content-Type"] == "application/json"
    assert served.json() == document()


@API.parametrize()
@BOUNDED
def test_the_running_system_keeps_to_it(
    case: schemathesis.Case[Any], audiolift: Audiolift, session: requests.Session
) -> None:
    loose = LOOSE.get(case.operation.label, [])
    case.call_and_validate(base_url=audiolift.url, session=session, excluded_checks=loose)


@API.include(path_regex="job_id|signed").parametrize()
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
