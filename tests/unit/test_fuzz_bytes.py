"""Whatever is signed is taken only as it was; whatever range is asked for, these bytes come, or none."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request

from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.join import Joiner
from functions.convert.errors import EncodingError
from functions.download import files
from functions.notify import signing
from functions.shared.blobs import Piece
from functions.shared.blobs.joined import JoinedReader, Pieces
from functions.shared.problems import Problem
from tests.asgi import scope_of
from tests.unit.bytes_source import Bytes

# What a message is named by: letters that a header can have, and no full stop, which ends the name in what is signed.
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=40)
BODIES = st.dictionaries(st.text(max_size=9), st.one_of(st.text(), st.integers(), st.none())).map(
    lambda data: json.dumps(data).encode()
)
SECRETS = st.binary(min_size=24, max_size=64).map(lambda key: signing.PREFIX + base64.b64encode(key).decode())
FUZZED = settings(max_examples=150)


@FUZZED
@given(IDS, BODIES, st.lists(SECRETS, min_size=1, max_size=3, unique=True), SECRETS)
def test_each_secret_verifies_what_was_signed_by_all_and_no_other_does(
    message: str, body: bytes, secrets: list[str], other: str
) -> None:
    headers = signing.headers(message, int(time.time()), body, secrets)
    assert all(Webhook(secret).verify(body, headers) == json.loads(body) for secret in secrets)
    if other not in secrets:
        refused(other, body, headers)


@FUZZED
@given(IDS, BODIES, SECRETS, st.data())
def test_whatever_is_changed_of_a_message_the_signature_is_refused(
    message: str, body: bytes, secret: str, data: st.DataObject
) -> None:
    headers = signing.headers(message, int(time.time()), body, [secret])
    name = data.draw(st.sampled_from(["body", *headers]))
    was = body if name == "body" else headers[name].encode()
    at, byte = data.draw(st.integers(0, len(was) - 1)), data.draw(st.integers(0x21, 0x7E))
    changed = data.draw(st.sampled_from([was[:at] + bytes((byte,)) + was[at + 1 :], was[:at], b""]))
    if name != "body":
        headers[name] = changed.decode()
    if changed != was and not _is_the_same_signature(name, was, changed):
        refused(secret, changed if name == "body" else body, headers)


@FUZZED
@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_text_is_a_signature(signature: str) -> None:
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(time.time())), "webhook-signature": signature}
    refused(signing.make_secret(), b"{}", headers)


def _is_the_same_signature(name: str, was: bytes, changed: bytes) -> bool:
    """Base64 of 32 bytes has two bits that count for nothing."""
    if name != "webhook-signature":
        return False
    with suppress(ValueError):
        return base64.b64decode(was[3:]) == base64.b64decode(changed[3:]) and changed[:3] == was[:3]
    return False


def refused(secret: str, body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises((WebhookVerificationError, ValueError)):
        Webhook(secret).verify(body, headers)


SIZE = 1000
NUMBERS = st.one_of(st.integers(0, 1200).map(str), st.sampled_from(["", "0", "999", "1000", "00", "9" * 40, "-1", "٣"]))
RANGES = st.one_of(
    st.builds("bytes={}-{}".format, NUMBERS, NUMBERS),
    st.builds("bytes={}-{},{}-{}".format, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
    st.builds("{}={}-{}".format, st.sampled_from(["Bytes", "items", "bytes "]), NUMBERS, NUMBERS),
)


@settings(max_examples=400)
@given(RANGES)
def test_a_range_is_answered_by_these_bytes_by_416_or_by_the_whole_file(asked: str) -> None:
    request = Request(scope_of("GET", "/", {"range": asked}) if asked.isascii() else scope_of("GET", "/", {}))
    span: tuple[int, ...] | None = ()
    with suppress(Problem):
        span = files._span(request, '"x"', SIZE)
    if (wanted := _by_rfc(asked)) is not None:
        assert span == wanted
    elif span:
        assert 0 <= span[0] < span[1] <= SIZE


def _by_rfc(asked: str) -> tuple[int, int] | tuple[()] | None:
    """What a single range means (RFC 9110, section 14.1.2), () for 416; None for what is no single range."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked, re.ASCII)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        # The last zero bytes are none: a server may pass over that.
        return (max(SIZE - int(found[2]), 0), SIZE) if int(found[2]) else None
    start, last = int(found[1]), int(found[2] or SIZE)
    if last < start:
        return None
    return (start, min(last + 1, SIZE)) if start < SIZE else ()


@FUZZED
@given(
    st.lists(st.binary(max_size=40), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 360), st.integers(1, 120)), max_size=9),
)
def test_what_is_joined_is_read_as_if_it_were_one_and_nothing_of_another_blob_comes(
    contents: list[bytes], asked: list[tuple[int, int]]
) -> None:
    whole, opened = b"".join(contents), []

    @contextmanager
    def reading(name: str) -> Iterator[Bytes]:
        opened.append(name)
        yield Bytes(contents[int(name)])
        opened.remove(name)

    pieces = Pieces([Piece(str(at), len(content)) for at, content in enumerate(contents)])
    ranges = [(start, min(length, len(whole) - start)) for start, length in asked if start < len(whole)]
    reader: Any = JoinedReader(pieces, reading)
    assert reader.fetch(ranges) == b"".join(whole[start : start + length] for start, length in ranges)
    assert len(opened) <= 4
    reader.close()
    assert opened == []


@FUZZED
@given(st.binary(max_size=3000), st.lists(st.binary(max_size=600), min_size=1, max_size=130), st.integers(-9, 200))
def test_what_are_no_frames_are_joined_to_nothing(held: bytes, frames: Sequence[bytes], first: int) -> None:
    """What was held back comes out of a checkpoint, which another release may have written."""
    with suppress(EncodingError):
        joiner = Joiner({"first": first, "held": base64.b64encode(held).decode()})
        joiner.add(Encoded(1, 2, 0, tuple(frames), False, 0, None))
        joiner.finish()
