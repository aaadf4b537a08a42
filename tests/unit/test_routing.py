"""functions/shared/routing.py: from method and path to a handler."""

from __future__ import annotations

from typing import Any

import pytest

from functions.shared.problems import Problem
from functions.shared.routing import Routes

routes = Routes()


@routes.add("GET", "/v1/jobs/<job_id>")
def read(_request: Any, job_id: str) -> str:
    return job_id


@routes.add("DELETE", "/v1/jobs/<job_id>")
def delete(_request: Any, job_id: str) -> str:
    return job_id


@routes.add("POST", "/")
def event(_request: Any) -> None:
    """Nothing."""


def found(method: str, path: str) -> tuple[Any, dict[str, Any]]:
    """The handler, and the path's parts."""
    route, parts = routes.find(method, path)
    return route.handler, parts


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_handler_is_found_by_method_and_path(method: str) -> None:
    assert found(method, "/v1/jobs/abc") == (read, {"job_id": "abc"})
    assert found("DELETE", "/v1/jobs/abc") == (delete, {"job_id": "abc"})
    assert found("POST", "/") == (event, {})


def test_a_decorated_handler_stays_what_it_was() -> None:
    assert read(None, "x") == "x"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "TRACE", "BREW"])
def test_another_method_is_told_which_ones_there_are(method: str) -> None:
    with pytest.raises(Problem) as caught:
        routes.find(method, "/v1/jobs/abc")
    allowed = set(caught.value.headers["Allow"].split(", "))
    assert caught.value.status == 405
    assert {"GET", "DELETE", "HEAD"} <= allowed
    assert method not in allowed


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/v1/jobs/",
        "/v1/jobs/a/b",
        "/v1//jobs/a",
        "/V1/jobs/a",
        "/v1/jobs/a/",
        "/v1/jobs/../jobs/a",
        "/healthz/x",
        "/\x00",
        "/é",
    ],
)
def test_any_other_path_is_not_found_and_never_redirected(path: str) -> None:
    with pytest.raises(Problem) as caught:
        routes.find("GET", path)
    assert caught.value.status == 404


@pytest.mark.parametrize("part", ["..", "%2e%2e", "é", "a b", "\u202e", "x" * 10_000, "'; DROP TABLE jobs; --"])
def test_a_part_of_the_path_may_be_anything_but_a_slash(part: str) -> None:
    assert found("GET", f"/v1/jobs/{part}") == (read, {"job_id": part})
