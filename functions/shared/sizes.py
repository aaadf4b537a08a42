"""How large a video may be, and what is said of one that is larger."""

from __future__ import annotations

from functions.shared import settings
from functions.shared.problems import Problem

__all__ = ["FORM_OVERHEAD", "too_large"]

# What a form adds around the video: boundaries, and the other fields.
FORM_OVERHEAD = 64 * 1024


def too_large() -> Problem:
    """The problem (413) of a video with more than MAX_UPLOAD_BYTES."""
    limit = settings.number("MAX_UPLOAD_BYTES")
    return Problem("too-large", f"A video may have {limit:,} bytes.", limit_bytes=limit)
