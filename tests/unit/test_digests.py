"""functions/upload/digests.py: what a client says of its file."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from functions.shared.problems import Problem
from functions.upload import digests
from tests import asgi

SHA256 = hashlib.sha256(b"video")
FIELD = f"sha-256=:{base64.b64encode(SHA256.digest()).decode()}:"


def stated(*fields: tuple[str, str]) -> dict[str, str]:
    scope = asgi.scope_of("POST", "/", {})
    scope["headers"] = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    return digests.stated(Request(scope))


@pytest.mark.parametrize("name", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize(
    "field", [FIELD, f" {FIELD} ", f"sha-512=:AAAA:, {FIELD}", f"sha-256=:AAAA:,{FIELD}", f"unixsum=:AA==:,\t{FIELD}"]
)
def test_the_digest_is_read_from_either_header(name: str, field: str) -> None:
    assert stated((name, field)) == {name: SHA256.hexdigest()}


def test_a_field_in_two_lines_is_one() -> None:
    assert stated(("repr-digest", "md5=:AAAA:"), ("repr-digest", FIELD)) == {"Repr-Digest": SHA256.hexdigest()}


def test_who_says_nothing_has_said_nothing() -> None:
    assert stated() == {}


@pytest.mark.parametrize(
    "field",
    [
        "",
        "x",
        FIELD[:-1],
        FIELD.replace("sha-256", "SHA-256"),
        "sha-256=:AAAA:",
        "sha-512=:AAAA:",
        FIELD + ",",
        "sha-256",
        SHA256.hexdigest(),
        f"{FIELD}, junk",
        FIELD.replace("=:", "=", 1),
        "sha-256=:AAA:",
        f"sha-256=:{'A' * 100}:",
    ],
)
def test_what_cannot_be_verified_is_refused(field: str) -> None:
    with pytest.raises(Problem, match="Repr-Digest must have the SHA-256") as caught:
        stated(("Repr-Digest", field))
    assert caught.value.code == "bad-request"


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_whatever_stands_there_is_a_digest_or_a_problem(field: str) -> None:
    with suppress(Problem):
        assert all(len(digest) == 64 for digest in stated(("Repr-Digest", field)).values())


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_where_the_body_is_not_the_video_none_is_taken(kind: str) -> None:
    with pytest.raises(Problem, match="Send the video as the body"):
        stated(("Content-Digest", FIELD), ("Content-Type", kind))
    assert stated(("Content-Type", kind)) == {}


def test_each_that_was_stated_must_be_true() -> None:
    digests.verify({"Content-Digest": SHA256.hexdigest()}, SHA256.hexdigest())
    with pytest.raises(Problem, match="Repr-Digest says 00") as caught:
        digests.verify({"Content-Digest": SHA256.hexdigest(), "Repr-Digest": "00"}, SHA256.hexdigest())
    assert caught.value.code == "digest-mismatch"
