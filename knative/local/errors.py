"""What can stop the runner. Each message says what went wrong and what to do next.

LocalError
├── OverlayError     kustomize cannot render the overlay
├── ManifestError    a rendered object is wrong, or does not fit the others
├── StartError       this machine does not let it start: port, data directory, a Job that failed
└── ProcessError     a function's process did not get ready
"""

from __future__ import annotations

__all__ = ["LocalError", "ManifestError", "OverlayError", "ProcessError", "StartError"]


class LocalError(Exception):
    """The runner cannot start or go on."""


class OverlayError(LocalError):
    """The overlay cannot be rendered."""


class ManifestError(LocalError):
    """An object of the overlay is wrong, or does not fit the others."""


class StartError(LocalError):
    """The machine does not let the runner start."""


class ProcessError(LocalError):
    """A function's process did not get ready."""
