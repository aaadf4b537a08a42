"""Gives jobs and files out."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "archives", "export", "files", "links", "listing", "live", "waiting", "waveforms")
