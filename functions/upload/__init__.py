"""Takes videos in."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__,
        "admission",
        "arrival",
        "batches",
        "by_url",
        "concatenation",
        "intake",
        "submitted",
        "uploads",
    )
