"""What owners want to be told of, as they see and change it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed, ExpiryAnnounced, SubmissionConfirmed
from functions.shared import kinds
from functions.shared.languages import DEFAULT, Language
from functions.shared.operations import part

__all__ = [
    "KINDS",
    "MAILED_ALONE",
    "OFF_UNLESS_SAID",
    "UNSUBSCRIPTION",
    "Channels",
    "Events",
    "Mailed",
    "Preferences",
    "QuietChannels",
]

# The members of Events, and what they stand for: types of events, and of mails about the account.
KINDS = {
    "audio_created": AudioCreated.TYPE,
    "conversion_failed": ConversionFailed.TYPE,
    "batch_ended": BatchEnded.TYPE,
    "submission_confirmed": SubmissionConfirmed.TYPE,
    "expiry_announced": ExpiryAnnounced.TYPE,
    "signed_in": kinds.SIGNED_IN,
    "key_made": kinds.KEY_MADE,
}
# What no mail comes about unless it is asked for.
OFF_UNLESS_SAID = frozenset({SubmissionConfirmed.TYPE})
# What is told of by mail alone.
MAILED_ALONE = frozenset({kinds.SIGNED_IN, kinds.KEY_MADE})
UNSUBSCRIPTION = part("unsubscription", "What the mail has.", minLength=1, maxLength=2048)


class Channels(Struct, forbid_unknown_fields=True):
    """How to be told. What webhooks get, each of them says."""

    mail: Annotated[bool, Meta(description="By a mail to the account's address.")] = True
    sms: Annotated[bool, Meta(description="By SMS to the number that you have confirmed (`/v1/me/phone`).")] = False
    services: Annotated[
        dict[str, bool],
        Meta(
            description="By which services; all that there are, are listed. None unless said.",
            examples=[{"team-chat": True}],
            max_length=100,
        ),
    ] = {}


class QuietChannels(Channels, forbid_unknown_fields=True):
    """How to be told, of what nobody is told of unless they say so."""

    mail: Annotated[bool, Meta(description="By a mail to the account's address.")] = False


class Mailed(Struct, forbid_unknown_fields=True):
    """Whether to be told, of what is told by mail alone."""

    mail: Annotated[bool, Meta(description="By a mail to the account's address.")] = True


class Events(Struct, forbid_unknown_fields=True, rename=KINDS):
    """What to be told of, by the types of events."""

    audio_created: Annotated[Channels, Meta(description="An MP3 is ready.")] = field(default_factory=Channels)
    conversion_failed: Annotated[Channels, Meta(description="There is no MP3.")] = field(default_factory=Channels)
    batch_ended: Annotated[
        Channels,
        Meta(
            description="A batch is over: one mail, instead of one for each of its jobs. There is none either for who "
            "wants no mails about jobs at all."
        ),
    ] = field(default_factory=Channels)
    submission_confirmed: Annotated[
        QuietChannels,
        Meta(
            description="A video has arrived, and is not an MP3 within the next minute. Not told of videos in batches."
        ),
    ] = field(default_factory=QuietChannels)
    expiry_announced: Annotated[
        Channels,
        Meta(description="MP3s that nobody has fetched are deleted within a day: one notice for all of them."),
    ] = field(default_factory=Channels)
    signed_in: Annotated[
        Mailed, Meta(description="Somebody has signed in from a place, or by a program, that was not seen before.")
    ] = field(default_factory=Mailed)
    key_made: Annotated[Mailed, Meta(description="An API key was made.")] = field(default_factory=Mailed)


class Preferences(Struct, forbid_unknown_fields=True):
    """What somebody wants to be told of, and in which language."""

    events: Annotated[Events, Meta(description="For each type of events; one that is left out is as by default.")]
    language: Annotated[Language, Meta(description="Of all mails (ISO 639).")] = DEFAULT
