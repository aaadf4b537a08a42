"""Dead letters as they are kept: an event whole, or a request that is no event, as it came; and what each is about."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from events.catalogue import CATALOGUE, MailRequested
from events.wire import Envelope
from functions.shared.jobs import names
from functions.sweep import parked

__all__ = ["MAX_BYTES", "OWN_SOURCES", "TRUNCATED", "Letter", "about", "of_event", "of_request", "printable"]

TRUNCATED = "its data was too large"
# More of an event's data than the databases take in one statement is not kept; such an event is not replayed.
MAX_BYTES = 2 * 1024 * 1024
MAX_HEADER_BYTES = 1024 * 1024
OWN_SOURCES = sorted({event_type.SOURCE for event_type in CATALOGUE})
_NAMESPACE = uuid.UUID("c1f6b7f2-52f0-4c3a-8b1e-9d1a5a0e7f33")
_CREDENTIALS = re.compile(r"auth|cookie|token|secret|passw|credential|key|signature|session|jwt|csrf|cert")
_NAMES = ("id", "source", "type", "subject")
_MAX_NAME_LENGTH = 255


@dataclass(frozen=True)
class Letter:
    """What the broker gave up on. `headers` are None when it is an event; else `attributes` are what could be read.

    `code` is the status that it was given up for, or "-1", or ""; `whole` says whether `data` is all there was.
    """

    id: str
    attributes: Mapping[str, str]
    data: bytes
    reason: str
    code: str
    whole: bool
    headers: Mapping[str, str] | None = None


def of_event(event: Envelope) -> Letter:
    """The letter of an event. Its id is made from source and id: the same event again is the same letter."""
    event = parked.attributed(event)
    letter_id = _id(f"{event.source}\n{event.id}")
    whole = len(event.data) < MAX_BYTES
    reason, code = _reason(event.attributes) or parked.REASON, event.attributes.get("knativeerrorcode", parked.CODE)
    return Letter(letter_id, dict(event.attributes), event.data, _noted(reason, whole), code, whole)


def of_request(headers: Mapping[str, str], body: bytes, why: str) -> Letter:
    """The letter of a request that is no event: its headers as they came, without credentials, and its body.

    Its id is made from what the sender of an event writes: ce- headers, content type and body.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    kept = _kept(lowered)
    whole = len(body) < MAX_BYTES and len(kept) == sum(not _is_credential(name) for name in lowered)
    said = {name.removeprefix("ce-"): value for name, value in lowered.items() if name.startswith("ce-knativeerror")}
    reason = _noted(f"{_reason(said)} (it cannot be read: {why[:300]})".strip(), whole)
    letter_id = _id(_digest(lowered, body))
    attributes = {"id": "", "source": "", "type": "", **_legible(lowered, body)}
    return Letter(letter_id, attributes, body, reason, said.get("knativeerrorcode", ""), whole, kept)


def about(attributes: Mapping[str, str]) -> dict[str, Any]:
    """What a letter is about, as columns: the event's id, source and type, and the job that it is, or would become."""
    found = {name: attributes.get(name, "") for name in _NAMES}
    job_id = _subject(found) if found["source"] in OWN_SOURCES else _submitted(found["source"], found["id"])
    columns = {"event_id": found["id"], "source": found["source"], "type": found["type"]}
    return {**{name: value[:_MAX_NAME_LENGTH] for name, value in columns.items()}, "job_id": job_id}


def _subject(found: Mapping[str, str]) -> str | None:
    return None if found["type"] == MailRequested.TYPE else found["subject"][:64]


def _submitted(source: str, event_id: str) -> str | None:
    return names.submitted_id(source, event_id) if source and event_id else None


def _id(identity: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, identity))


def _digest(lowered: Mapping[str, str], body: bytes) -> str:
    written = {name: value for name, value in lowered.items() if name.startswith("ce-") or name == "content-type"}
    stable = sorted(item for item in written.items() if not item[0].startswith("ce-knativeerror"))
    return hashlib.sha256(json.dumps(stable).encode() + b"\n" + body).hexdigest()


def _is_credential(name: str) -> bool:
    return not name.startswith("ce-") and _CREDENTIALS.search(name) is not None


def _kept(lowered: Mapping[str, str]) -> dict[str, str]:
    kept, size = {}, 0
    for name, value in lowered.items():
        size += len(name) + len(value)
        if size <= MAX_HEADER_BYTES and not _is_credential(name):
            kept[name] = value
    return kept


def _legible(lowered: Mapping[str, str], body: bytes) -> dict[str, str]:
    """What can be read of the attributes that say what an event is, in binary or structured mode."""
    found: dict[str, Any] = {name: unquote(lowered[f"ce-{name}"]) for name in _NAMES if f"ce-{name}" in lowered}
    if not found and lowered.get("content-type", "").startswith("application/cloudevents"):
        found = _json_object(body)
    return {name: printable(found[name][:2000]) for name in _NAMES if isinstance(found.get(name), str)}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def printable(text: str) -> str:
    """The text without what could steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _reason(attributes: Mapping[str, str]) -> str:
    return " ".join(attributes.get(name, "") for name in ("knativeerrorcode", "knativeerrordest")).strip()


def _noted(reason: str, whole: bool) -> str:
    return reason[:900] + ("" if whole else f" ({TRUNCATED}; {MAX_BYTES:,} bytes are kept)")
