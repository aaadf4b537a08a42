"""video.submitted, or its data in a message that is no event → a job whose video is fetched from a URL.

In two steps, so that nothing is lost in between: another system's event becomes a job and an event of our own in the
outbox; that event has the URL fetched (fetching.py), and comes again until it was.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from events import wire
from events.catalogue import FROM_RABBITMQ, VideoSubmitted
from events.codec import decode
from events.errors import EventError, Malformed
from events.wire import Envelope
from functions.shared import database, options, outbox, owners, quotas, settings, suspension, unwanted
from functions.shared.addresses import MAX_URL_LENGTH
from functions.shared.credentials import AccountGone
from functions.shared.jobs import changes, names
from functions.shared.problems import Problem, Unavailable
from functions.shared.quotas import OverQuota
from functions.shared.tables import jobs as jobs_table
from functions.shared.tables import users
from functions.upload import admission, by_url, fetching

__all__ = ["on_submitted", "open_submitted"]


def on_submitted(envelope: Envelope) -> None:
    """Take the event of another system in, or fetch the video that an event of our own is about.

    Raises: EventError when the source is not trusted or the event is not sound: it ends among the dead letters.
    """
    ours = (envelope.type, envelope.source) == (VideoSubmitted.TYPE, VideoSubmitted.SOURCE)
    # A newer release may say more. Who else does has misspelled something, and would miss it in the MP3.
    event = decode(_submission(envelope), VideoSubmitted, strict=not ours)
    if ours:
        return fetching.fetch_for(envelope.subject)
    job_id = names.submitted_id(envelope.source, envelope.id)
    # The same event again finds its job there.
    with suppress(IntegrityError):
        try:
            outbox.send(open_submitted(_owner(envelope.source), job_id, event))
        except AccountGone:
            raise _untrusted(envelope.source) from None
    return None


@database.transactional
def open_submitted(connection: sa.Connection, user_id: str, job_id: str, event: VideoSubmitted) -> str:
    """A job that waits for its video to be fetched, and the event that has it fetched. Returns: the event's id.

    It fails at once when its owner may have no more; the event then says so.
    Raises: Unavailable while too many jobs wait: until then the broker keeps the event.
    """
    asked = by_url.Wanted(event.url, by_url.name_of(event.filename, event.url), _options(event))
    owners.hold(connection, user_id)
    # Its owner may have deleted what an earlier delivery of this event became.
    unwanted.forget(connection, job_id)
    connection.execute(jobs_table.insert().values(by_url.row_of(user_id, job_id, asked)))
    try:
        quotas.admit(connection, user_id)
    except OverQuota as over:
        # Nobody waits for an answer: the owner is told by a mail.
        if failed := changes.fail(connection, job_id, fetching.failure_of(over)):
            return failed
    _check_room(connection)
    return outbox.add(connection, job_id, 0, event)


def _check_room(connection: sa.Connection) -> None:
    try:
        admission.check(connection)
    except Problem as busy:
        raise Unavailable(busy.detail) from None


def _submission(envelope: Envelope) -> Envelope:
    """The event, or the one that a message from RabbitMQ stands for: its data, or a whole event in JSON format.

    Source and id are not taken from what is in the message: who sent it is said by its queue alone.
    """
    if envelope.type != FROM_RABBITMQ:
        return envelope
    try:
        return wire.read({"content-type": "application/cloudevents+json"}, envelope.data)
    except Malformed:
        return envelope.with_attributes(type=VideoSubmitted.TYPE)


def _owner(source: str) -> str:
    email = settings.mapping("TRUSTED_SOURCES").get(source)
    with database.reading() as connection:
        owner = sa.select(users.c.id).where(users.c.email == str(email).lower(), ~suspension.closed(users.c.id))
        user_id = connection.execute(owner).scalar()
    if email is None or user_id is None:
        raise _untrusted(source)
    return str(user_id)


def _untrusted(source: str) -> EventError:
    why = "is not trusted, or its owner has no account, or one that is suspended"
    return EventError(f"the source {source!r} {why}")


def _options(event: VideoSubmitted) -> dict[str, Any]:
    if len(event.url) > MAX_URL_LENGTH:
        raise EventError(f"the URL has more than {MAX_URL_LENGTH} characters")
    try:
        return options.parse(event.options or {})
    except Problem as problem:
        raise EventError(problem.detail) from None
