"""Whatever strangers write into headers, tokens and events: it is understood, or refused by name, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from events.errors import EventError
from events.wire import Envelope, read
from functions.shared import tokens
from functions.shared.problems import Problem
from functions.sweep import letters
from functions.upload import metadata, tus_headers
from tests.asgi import scope_of

# What a header can carry (RFC 9110, section 5.5), often close to what is expected.
VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str), st.sampled_from(["", "1", "0x1", "1_0", "٣", "1.0", "+1"]), VALUES
)
NAMED = st.builds(lambda key, value: f"{key} {b64encode(value).decode()}", VALUES, st.binary(max_size=30))
UNIQUE = "/v1/uploads/" + "a" * 32
CONCAT = st.lists(st.one_of(VALUES, st.just(UNIQUE), st.just(f"https://x{UNIQUE}")), max_size=4).map(
    lambda urls: "final;" + " ".join(urls)
)
FUZZED = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def request(**headers: str) -> Request:
    """With these headers, whose names have dashes for underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    written = {name: value for name, value in named.items() if value.isprintable() and value.isascii()}
    return Request(scope_of("PATCH", "/", written))


@FUZZED
@given(NUMBERS, NUMBERS, NUMBERS)
def test_an_offset_or_length_is_a_whole_number_or_refused(offset: str, length: str, deferred: str) -> None:
    asked = request(Upload_Offset=offset, Upload_Length=length, Upload_Defer_Length=deferred)
    with suppress(Problem):
        assert 0 <= tus_headers.offset(asked) < 10**18
    with suppress(Problem):
        size = tus_headers.stated_size(asked)
        assert size is None or size >= 0


@FUZZED
@given(st.builds(lambda name, rest: f"{name} {rest}", st.sampled_from([*tus_headers.ALGORITHMS, "crc"]), VALUES))
def test_a_checksum_has_the_length_of_its_algorithm_or_is_refused(header: str) -> None:
    with suppress(Problem):
        found = tus_headers.checksum(request(Upload_Checksum=header))
        assert found is None or len(found.digest) in (16, 20, 32, 64)


@FUZZED
@given(CONCAT)
def test_uploads_to_put_together_are_named_once_each_or_refused(header: str) -> None:
    with suppress(Problem):
        ids = tus_headers.concatenated(header)
        assert len(set(ids)) == len(ids) > 0


@FUZZED
@given(st.lists(st.one_of(VALUES, NAMED), max_size=4).map(",".join))
def test_metadata_are_a_name_without_control_characters_and_known_options_or_refused(header: str) -> None:
    with suppress(Problem):
        name, options = metadata.read(header)
        assert name.isprintable()
        assert isinstance(options, dict)


@FUZZED
@given(
    st.one_of(
        VALUES, st.lists(st.binary(max_size=30).map(lambda part: b64encode(part).decode()), max_size=4).map(".".join)
    )
)
def test_what_is_no_token_opens_nothing(secrets: dict[str, str], text: str) -> None:
    for authorization in (text, f"Bearer {text}", f"bearer  {text}"):
        with pytest.raises(Problem):
            tokens.bearer(authorization)
    with pytest.raises(Problem):
        tokens.linked(text)


HEADERS = st.dictionaries(
    st.sampled_from(["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "content-type", "ce-x", "x"]),
    st.one_of(VALUES, st.sampled_from(["1.0", "0.3", "application/cloudevents+json", "application/json", "%ff", "%"])),
)


@FUZZED
@given(
    HEADERS, st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"[" * 5000, b'{"specversion":"1.0","id":1}']))
)
def test_what_comes_as_an_event_is_one_or_is_kept_as_a_letter(headers: dict[str, Any], body: bytes) -> None:
    try:
        assert isinstance(read(headers, body), Envelope)
    except EventError as error:
        letter = letters.of_request(headers, body, str(error))
        assert (letter.data, letter.whole) == (body, True)
        assert letters.about(letter.attributes)["type"] is not None
