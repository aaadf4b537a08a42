"""functions/shared/problems.py, and how web.py answers with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from functions.shared.problems import PROBLEMS, Problem, Unavailable
from functions.shared.reasons import REASONS, Failure
from tests import asgi

SECRET = "mysql://root:hunter2@db"

Answer = Callable[[BaseException], tuple[int, dict[str, str], dict[str, Any]]]


def by_a_coroutine(error: BaseException) -> asgi.Answered:
    async def handler(_request: Request) -> None:
        raise error

    return asgi.answered(handler)


def by_a_plain_function(error: BaseException) -> asgi.Answered:
    def handler(_request: Request) -> None:
        raise error

    return asgi.answered(handler)


@pytest.fixture(params=[by_a_coroutine, by_a_plain_function])
def answered(request: pytest.FixtureRequest) -> Answer:
    """How a function answers when its handler raises: status, headers, body."""

    def answer(error: BaseException) -> tuple[int, dict[str, str], dict[str, Any]]:
        found: asgi.Answered = request.param(error)
        return found.status, {name.title(): value for name, value in found.headers.items()}, json.loads(found.body)

    return answer


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_is_answered_with_its_status_and_title(answered: Answer, code: str) -> None:
    status, headers, body = answered(Problem(code, "Do this.", {"Retry-After": "5"}, limit_bytes=5))
    assert (status, body["title"]) == PROBLEMS[code][:2]
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("application/problem+json", "no-store")
    assert headers["Retry-After"] == "5"
    assert body == {
        "type": f"http://localhost:8080/v1/problems/{code}",
        "title": PROBLEMS[code].title,
        "status": status,
        "detail": "Do this.",
        "code": code,
        "limit_bytes": 5,
    }


@pytest.mark.parametrize("error", [RuntimeError(SECRET), KeyError(SECRET), AssertionError(SECRET)])
def test_a_bug_tells_the_caller_nothing_but_that_there_is_one(answered: Answer, error: Exception) -> None:
    status, headers, body = answered(error)
    assert (status, body["code"]) == (500, "internal")
    assert SECRET not in json.dumps([headers, body])
    assert type(error).__name__ not in json.dumps(body)


def test_what_is_down_stays_in_the_log(answered: Answer, caplog: pytest.LogCaptureFixture) -> None:
    status, headers, body = answered(Unavailable(SECRET))
    assert (status, body["code"]) == (503, "unavailable")
    assert headers["Retry-After"] == "5"
    assert SECRET not in json.dumps([headers, body])
    assert SECRET in caplog.text


@pytest.mark.parametrize("table", [PROBLEMS, REASONS])
def test_codes_are_plain_words_and_titles_are_whole_phrases(table: dict[str, tuple[Any, ...]]) -> None:
    for code, values in table.items():
        assert code.replace("-", "").isalpha()
        assert code == code.lower()
        texts = [value for value in values if isinstance(value, str)]
        assert all(text[0].isupper() or text.startswith("audiolift") for text in texts)
        assert not texts[0].endswith(".")


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_says_what_to_do_next(code: str) -> None:
    failure = Failure(code)
    assert (failure.title, failure.detail) == REASONS[code]
    assert failure.detail.endswith(".")


def test_statuses_are_those_of_errors() -> None:
    assert {kind.status for kind in PROBLEMS.values()} <= set(range(400, 600))


def test_a_code_that_is_not_in_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Problem("made-up", "x")
