"""What can be wrong with an event. Raised without a message, each says the first line of its docstring.

SpeakingError
└── EventError
    ├── Malformed      it is not a CloudEvent, or its data is not what its type promises
    └── UnknownType    it is a CloudEvent, but of a type that is not in the catalogue
"""

from __future__ import annotations

__all__ = ["EventError", "Malformed", "SpeakingError", "UnknownType"]


class SpeakingError(Exception):
    """What each package's tree of errors grows from: the message is the first line of the docstring, unless given."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class EventError(SpeakingError, ValueError):
    """The event cannot be used."""


class Malformed(EventError):
    """The event breaks the CloudEvents specification or its own schema."""


class UnknownType(EventError):
    """The event's type is not in the catalogue."""
