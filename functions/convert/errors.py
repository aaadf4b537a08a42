"""What can go wrong with a conversion beside the video itself (for that there is reasons.Failure).

ConvertError
├── Crash               another attempt may succeed
├── Unfinished          the next delivery resumes it
├── Unconfined          the kernel lacks what the sandbox needs
├── NoWorker            the process that conversions are forked from is gone
├── TimedOut            the deadline has passed
├── ProtocolViolation   the child was taken over, or has a bug
├── NotOneStream        what is called MP3 cannot be copied
└── EncodingError       the MP3 cannot be made
    ├── FrameError
    ├── JoinError
    └── LameError

The message of each is the first line of its docstring, and what it is given as details.
"""

from __future__ import annotations

from typing import Any

from events.errors import SpeakingError

__all__ = [
    "ConvertError",
    "Crash",
    "EncodingError",
    "FrameError",
    "JoinError",
    "LameError",
    "NoWorker",
    "NotOneStream",
    "ProtocolViolation",
    "TimedOut",
    "Unconfined",
    "Unfinished",
]


class ConvertError(SpeakingError):
    """The conversion cannot be done."""

    def __init__(self, details: str = "") -> None:
        first = (type(self).__doc__ or "").partition("\n")[0].rstrip(".")
        super().__init__(f"{first}: {details}" if details else first)


class Crash(ConvertError):
    """The converter died, or failed in a way that says nothing about the video.

    `facts` are what is known of it, fit for JSON.
    """

    def __init__(self, details: str = "", **facts: Any) -> None:
        super().__init__(details)
        self.facts = facts


class Unfinished(ConvertError):
    """The time is up, and the next delivery resumes from the checkpoint."""


class Unconfined(ConvertError):
    """This machine cannot confine what parses the videos of strangers."""


class NoWorker(ConvertError):
    """The process that conversions are forked from does not start, or has died."""


class TimedOut(ConvertError):
    """The deadline has passed, and the child still runs."""


class ProtocolViolation(ConvertError):
    """The child sent what it must not send."""


class NotOneStream(ConvertError):
    """The packets are not the whole frames of one stream of layer III: they have to be decoded."""


class EncodingError(ConvertError):
    """The MP3 cannot be made."""


class FrameError(EncodingError):
    """These bytes are not MPEG layer III frames."""


class JoinError(EncodingError):
    """Two segments cannot be joined: no frame around their boundary has room for the data of the second one."""


class LameError(EncodingError):
    """The MP3 encoder is missing, or refused what it was asked for."""
