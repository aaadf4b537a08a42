"""What can go wrong for a client.

AudioliftError
├── Refused            audiolift answered with a problem (RFC 9457)
│   └── SignInNeeded   … because it does not know who asks, or no longer
├── Unreachable        no answer, or none that audiolift gives
└── Unusable           what was asked for cannot be done on this machine: no such file, no such folder
"""

from __future__ import annotations

__all__ = ["AudioliftError", "Refused", "SignInNeeded", "Unreachable", "Unusable"]


class AudioliftError(Exception):
    """Every error of the client; its text is for people."""


class Refused(AudioliftError):
    """audiolift answered with a problem.

    `status` is that of HTTP, `code` the problem's, for programs; `retry_after` the seconds to wait, if it said so.
    """

    def __init__(self, status: int, code: str, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.retry_after = status, code, retry_after


class SignInNeeded(Refused):
    """audiolift does not know who asks, or no longer."""


class Unreachable(AudioliftError):
    """audiolift gives no answer."""


class Unusable(AudioliftError):
    """What was asked for cannot be done on this machine."""
