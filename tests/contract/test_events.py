"""The contract of events/: what travels, how it looks on the wire, and what is refused."""

from __future__ import annotations

import ast
import base64
import json
import string
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import generate, wire
from events.catalogue import CATALOGUE, AudioCreated, EventType, VideoSubmitted, VideoUploaded, dataschema
from events.codec import decode, encode
from events.errors import EventError, Malformed, UnknownType
from events.schema import asyncapi, example, json_schema
from events.wire import Envelope

ROOT = Path(__file__).resolve().parents[2]
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BINARY = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
WHOLE = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}
WRONG: tuple[Any, ...] = (None, "", {}, [1])
TIME = "2026-11-21T09:30:00Z"

every_type = pytest.mark.parametrize("event_type", CATALOGUE, ids=lambda event_type: event_type.TYPE)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).filter(
    lambda name: name not in {"data", "extensions", "datacontenttype", "specversion", "contenttype"}
)


@given(
    required=st.fixed_dictionaries({"id": texts, "source": texts, "type": texts}),
    extensions=st.dictionaries(names, texts, max_size=5),
    data=st.binary(max_size=200),
)
def test_an_event_comes_out_of_the_wire_as_it_went_in(
    required: dict[str, str], extensions: dict[str, str], data: bytes
) -> None:
    attributes = {"time": TIME, "datacontenttype": "application/x", **extensions, **required, "specversion": "1.0"}
    sent = Envelope(attributes, data)
    assert wire.read(*wire.write(sent)) == sent


@given(st.dictionaries(names, texts, max_size=5))
def test_what_is_written_into_headers_is_printable_ascii(extensions: dict[str, str]) -> None:
    headers, _ = wire.write(Envelope({**extensions, **WHOLE}, b""))
    assert all(value.isascii() and value.isprintable() for value in headers.values())


def test_header_names_may_have_any_case() -> None:
    headers = {name.upper(): value for name, value in BINARY.items()}
    assert wire.read(headers, b"{}").type == "t"


def test_extensions_and_trace_context_are_carried_on() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    received = wire.read({**BINARY, "ce-traceparent": trace, "ce-knativeerrorcode": "500"}, b"{}")
    headers, _ = wire.write(received)
    assert (headers["ce-traceparent"], headers["ce-knativeerrorcode"]) == (trace, "500")


def test_attributes_are_percent_encoded_in_headers() -> None:
    envelope = Envelope({**WHOLE, "subject": 'Euro € "50 %"', "time": TIME}, b"")
    headers, _ = wire.write(envelope)
    assert headers["ce-subject"] == "Euro%20%E2%82%AC%20%2250%20%25%22"
    assert wire.read(headers, b"") == envelope


def test_more_attributes_leave_the_first_event_as_it_was() -> None:
    first = Envelope(WHOLE, b"x")
    second = first.with_attributes(knativeerrorcode="500")
    assert second.attributes["knativeerrorcode"] == "500"
    assert "knativeerrorcode" not in first.attributes
    assert (second.id, second.data, second.subject) == ("1", b"x", "")


@every_type
def test_the_structured_mode_is_read(event_type: type[EventType]) -> None:
    received = wire.read(STRUCTURED, json.dumps(example(event_type)).encode())
    assert json.loads(received.data) == event_type.EXAMPLE
    assert decode(received, EventType).to_data() == event_type.EXAMPLE


def test_binary_data_in_structured_mode_is_read() -> None:
    body = json.dumps({**WHOLE, "data_base64": base64.b64encode(b"\x00\xff").decode()}).encode()
    assert wire.read(STRUCTURED, body).data == b"\x00\xff"


def test_numbers_and_truth_values_of_extensions_become_text() -> None:
    received = wire.read(STRUCTURED, json.dumps({**WHOLE, "sequence": 7, "sampled": True, "nothing": None}).encode())
    assert (received.attributes["sequence"], received.attributes["sampled"]) == ("7", "true")
    assert "nothing" not in received.attributes


@every_type
def test_every_example_is_valid_by_its_schema(event_type: type[EventType]) -> None:
    schema = json_schema(event_type)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(event_type.EXAMPLE, schema, jsonschema.Draft202012Validator)


@every_type
def test_every_event_is_encoded_with_the_attributes_that_brokers_need(event_type: type[EventType]) -> None:
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    envelope = encode(event_type, event_type.EXAMPLE, id="1", source="/s", subject="job", time=moment)
    assert envelope.attributes["dataschema"] == dataschema(event_type)
    assert (envelope.attributes["time"], envelope.subject) == ("2026-11-21T09:30:00.000Z", "job")
    assert all(value.isascii() for value in envelope.attributes.values())
    assert decode(wire.read(*wire.write(envelope)), event_type) == event_type(**event_type.EXAMPLE)


def test_a_file_name_travels_in_the_data_and_not_in_a_header() -> None:
    data = VideoUploaded("job", "Grüße 你好.mp4", 1).to_data()
    headers, body = wire.write(
        encode(VideoUploaded, data, id="1", source="/s", subject="job", time=datetime.now(tz=UTC))
    )
    assert "Gr" not in "".join(headers.values())
    assert json.loads(body)["filename"] == "Grüße 你好.mp4"


def test_the_generated_documents_are_up_to_date() -> None:
    made = generate.documents()
    assert {path: path.read_text(encoding="utf-8") for path in made} == made
    there = {path for folder in ("schemas", "examples") for path in (ROOT / "events" / folder).iterdir()}
    assert there == {path for path in made if path.parent.name in ("schemas", "examples")}


def test_the_references_of_the_asyncapi_document_resolve() -> None:
    document = asyncapi()
    found = list(references(document))
    assert found
    for reference in found:
        file, _, pointer = reference.partition("#")
        target: Any = json.loads((ROOT / "events" / file).read_text()) if file else document
        for step in pointer.strip("/").split("/") if pointer else []:
            target = target[step]


def test_the_types_are_named_by_the_rule() -> None:
    for event_type in CATALOGUE:
        prefix, domain, _thing, participle, version = event_type.TYPE.split(".")
        assert (prefix, domain, version) == ("dev", "audiolift", "v1")
        assert participle.endswith("ed")


def test_fields_that_a_newer_sender_adds_are_passed_over() -> None:
    data = {**VideoUploaded.EXAMPLE, "codec": "h264"}
    assert decode(with_data(VideoUploaded, json.dumps(data).encode()), VideoUploaded).to_data() == VideoUploaded.EXAMPLE


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({}, b"{}"),
        (STRUCTURED, b""),
        (STRUCTURED, b"{"),
        (STRUCTURED, b"null"),
        (STRUCTURED, b'"text"'),
        (STRUCTURED, b"\xff\xfe\x00"),
        (STRUCTURED, b"[" * 200_000),
        (STRUCTURED, b'{"a":' * 200_000),
        (STRUCTURED, json.dumps([WHOLE]).encode()),
        ({"Content-Type": "application/cloudevents-batch+json"}, json.dumps([WHOLE]).encode()),
        *[(STRUCTURED, json.dumps({k: v for k, v in WHOLE.items() if k != missing}).encode()) for missing in WHOLE],
        *[({k: v for k, v in BINARY.items() if k != missing}, b"{}") for missing in BINARY],
        *[(STRUCTURED, json.dumps({**WHOLE, name: wrong}).encode()) for name in WHOLE for wrong in WRONG],
        *[({**BINARY, name: ""}, b"{}") for name in BINARY],
        ({**BINARY, "ce-specversion": "0.3"}, b"{}"),
        ({**BINARY, "ce-specversion": "2.0"}, b"{}"),
        ({**BINARY, "ce-extensions": "x"}, b"{}"),
        ({**BINARY, "ce-a_b": "x"}, b"{}"),
        ({**BINARY, "ce-subject": "a%0D%0Ab"}, b"{}"),
        (STRUCTURED, json.dumps({**WHOLE, "specversion": "0.3"}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "subject": "a\r\nX-Evil: 1"}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "subject": "\ud800"}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "Foo Bar": "x"}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "extensions": [1]}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "data_base64": 5}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "data_base64": "a"}).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "nested": {"a": 1}}).encode()),
    ],
)
def test_what_is_no_event_is_malformed(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.read(headers, body)


@pytest.mark.parametrize("name", BINARY)
def test_an_attribute_that_a_request_in_binary_mode_lacks_is_named(name: str) -> None:
    with pytest.raises(Malformed, match=f"has no {name.removeprefix('ce-')}$"):
        wire.read({each: value for each, value in BINARY.items() if each != name}, b"{}")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (STRUCTURED, b'{"url": "https://x/?signature=hunter2' + b"x" * 500_000),
        (STRUCTURED, json.dumps(["hunter2"] * 100).encode()),
        (STRUCTURED, json.dumps({**WHOLE, "specversion": "\nERROR forged" + "x" * 5000}).encode()),
        ({**BINARY, "ce-specversion": "\x9b31m" + "x" * 5000}, b"{}"),
    ],
)
def test_why_a_request_is_no_event_is_said_in_a_short_line_without_what_was_in_it(
    headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(Malformed) as caught:
        wire.read(headers, body)
    said = str(caught.value)
    assert len(said) < 300
    assert said.isprintable()
    assert "hunter2" not in said


@given(
    st.dictionaries(st.sampled_from([*BINARY, "content-type", "ce-time"]), st.text(max_size=20)),
    st.one_of(st.binary(max_size=100), st.just(b"[" * 100_000)),
)
def test_no_request_whatever_raises_anything_else(headers: dict[str, str], body: bytes) -> None:
    with suppress(EventError):
        decode(wire.read(headers, body), EventType)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from([*WHOLE, "data", "data_base64", "time", "extensions", "x"]), json_values)
    | json_values
)
def test_no_json_whatever_raises_anything_else(value: Any) -> None:
    with suppress(EventError):
        wire.read(STRUCTURED, json.dumps(value).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff",
        b"[" * 200_000,
        b'{"job_id": null, "filename": "a", "size_bytes": 1}',
        b'{"job_id": 5, "filename": "a", "size_bytes": 1}',
        b'{"job_id": "1", "filename": "a", "size_bytes": "1"}',
        b'{"job_id": "1", "filename": "a", "size_bytes": 1.5}',
        b'{"job_id": "1", "filename": "a", "size_bytes": true}',
        b'{"job_id": "1", "filename": ["a"], "size_bytes": 1}',
        b'{"job_id": "1", "filename": "a", "size_bytes": ' + b"9" * 5000 + b"}",
    ],
)
def test_data_that_breaks_its_schema_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(with_data(VideoUploaded, data), VideoUploaded)


def test_a_whole_number_is_good_where_a_number_is_wanted() -> None:
    data = json.dumps({**AudioCreated.EXAMPLE, "duration_seconds": 3}).encode()
    assert decode(with_data(AudioCreated, data), AudioCreated).duration_seconds == 3


def test_options_must_be_an_object() -> None:
    with pytest.raises(Malformed):
        decode(with_data(VideoSubmitted, b'{"url": "https://example.com/a.mp4", "options": [1]}'), VideoSubmitted)


def test_a_type_that_is_not_in_the_catalogue_or_not_handled_here_is_unknown() -> None:
    with pytest.raises(UnknownType):
        decode(Envelope(WHOLE, b"{}"), EventType)
    with pytest.raises(UnknownType):
        decode(with_data(AudioCreated, json.dumps(AudioCreated.EXAMPLE).encode()), VideoUploaded)


def test_only_wire_imports_cloudevents() -> None:
    importers = set()
    for folder in ("events", "functions", "knative"):
        for path in (ROOT / folder).rglob("*.py"):
            if "cloudevents" in imported(path):
                importers.add(path.relative_to(ROOT).as_posix())
    assert importers == {"events/wire.py"}


def with_data(event_type: type[EventType], data: bytes) -> Envelope:
    return Envelope({**WHOLE, "type": event_type.TYPE}, data)


def references(value: Any) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in found}
