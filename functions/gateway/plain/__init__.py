"""The way from a video to its MP3 for browsers without JavaScript: forms, links, pages that look again."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "asking", "rendering")
