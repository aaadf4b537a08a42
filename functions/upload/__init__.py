"""Takes videos in."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "batches", "by_url", "intake", "submitted")
