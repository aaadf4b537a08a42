"""functions/shared/takes.py: what people read when what they sent does not fit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from functions.download.shapes import ChosenJobs, PageQuery
from functions.login.key_shapes import NewApiKey
from functions.notify.preference_shapes import Preferences
from functions.shared import takes
from functions.shared.problems import Problem
from functions.sweep.event_shapes import WhichEvents
from tests.asgi import app_of, call
from tests.unit.login import code, member


@pytest.mark.parametrize(
    ("shape", "given", "said"),
    [
        (NewApiKey, {"name": "x", "scopes": ["admin"]}, "`scopes[0]`: Expected one of jobs:read, jobs:write, account:"),
        (Preferences, {"events": {}, "language": "fr"}, "`language`: Expected one of "),
        (WhichEvents, {"all": False}, "`all`: Expected one of true."),
        (NewApiKey, {"name": "x\n", "scopes": ["jobs:read"]}, "`name` must be one line"),
        (PageQuery, {"state": "done,lost"}, "`state` must be one of receiving, queued, "),
        (ChosenJobs, {"ids": ["x"]}, "`ids[0]`: It has not the form that it must have."),
        (ChosenJobs, {}, "`ids` is missing."),
    ],
)
def test_what_may_be_is_said_in_words_and_not_as_a_pattern(
    shape: type[msgspec.Struct], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(Problem) as caught:
        takes.checked(given, shape, "bad-request")
    assert caught.value.detail.startswith(said)
    assert "regex" not in caught.value.detail


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/json", b'{"token": "x"}', "Send the body as application/x-www-form-urlencoded."),
        ("application/x-www-form-urlencoded", b"token=x&token=y", "Send one `token` in the form."),
        ("application/x-www-form-urlencoded", b"", "`token` is missing. The API is described at /v1/docs."),
    ],
)
@pytest.mark.usefixtures("tables", "secrets")
def test_a_form_that_is_none_is_refused_as_oauth_has_it(kind: str, body: bytes, said: str) -> None:
    answer = call(app_of("login"), "POST", "/v1/token/revoke", {"Content-Type": kind}, body)
    assert code(answer) == (400, "bad-request")
    assert (member(answer, "detail"), member(answer, "error")) == (said, "invalid_request")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"email": "anna@example.com", "email": "eve@example.com", "password": "a long pass phrase"}', "email"),
        (b'{"email": "anna@example.com", "\\u0065mail": "eve@example.com"}', "email"),
        (b'{"email": {"deep": [{"": 1, "": 2}]}}', ""),
        (b'{"a\\u0000\\u202e": 1, "a\\u0000\\u202e": 2}', "a"),
        (b'{"' + b"n" * 50 + b'": 1, "' + b"n" * 50 + b'": 1}', "n" * 40),
    ],
)
@pytest.mark.usefixtures("tables", "secrets")
def test_a_name_that_a_json_body_has_twice_is_refused_and_named(body: bytes, name: str) -> None:
    answer = call(app_of("login"), "POST", "/v1/users", {"Content-Type": "application/json"}, body)
    assert code(answer) == (400, "bad-request")
    assert member(answer, "detail") == f"Send one `{name}` in the body."


@pytest.mark.parametrize("number", [b"9" * 5000, b"1e999999", b"1" * 60000 + b".5"])
@pytest.mark.usefixtures("tables", "secrets")
def test_what_names_are_looked_at_for_twice_makes_no_numbers(number: bytes) -> None:
    body = b'{"email": ' + number + b', "password": {"email": [{"email": 1}, {"email": 1}]}}'
    answer = call(app_of("login"), "POST", "/v1/users", {"Content-Type": "application/json"}, body)
    assert member(answer, "detail") != "Send one `email` in the body."
    assert code(answer)[0] in (400, 422)
