"""What can stop the runner, or a request in it. Each message says what went wrong and what to do next.

Raised without a message, each says the first line of its docstring.

LocalError
├── OverlayError     kustomize cannot render the overlay
├── ManifestError    a rendered object is wrong, or does not fit the others
├── StartError       this machine does not let it start: port, data directory, a Job that failed
├── ProcessError     a function's process did not get ready
└── NoPlace          a request finds no place in a process: a 503 for its client
    ├── Overloaded   too many wait already
    └── NoProcess    the processes die as soon as they are started, or the runner is being stopped
"""

from __future__ import annotations

from events.errors import SpeakingError

__all__ = [
    "LocalError",
    "ManifestError",
    "NoPlace",
    "NoProcess",
    "OverlayError",
    "Overloaded",
    "ProcessError",
    "StartError",
]


class LocalError(SpeakingError):
    """The runner cannot start or go on."""


class OverlayError(LocalError):
    """The overlay cannot be rendered."""


class ManifestError(LocalError):
    """An object of the overlay is wrong, or does not fit the others."""


class StartError(LocalError):
    """The machine does not let the runner start."""


class ProcessError(LocalError):
    """A function's process did not get ready."""


class NoPlace(LocalError):
    """The request finds no place in a process."""


class Overloaded(NoPlace):
    """pending request queue full"""


class NoProcess(NoPlace):
    """The function has no process to take the request."""
