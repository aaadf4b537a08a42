"""What can be wrong with an event.

EventError
├── Malformed      it is not a CloudEvent, or its data is not what its type promises
└── UnknownType    it is a CloudEvent, but of a type that is not in the catalogue
"""

__all__ = ["EventError", "Malformed", "UnknownType"]


class EventError(ValueError):
    """The event cannot be used."""


class Malformed(EventError):
    """The event breaks the CloudEvents specification or its own schema."""


class UnknownType(EventError):
    """The event's type is not in the catalogue."""
