"""Makes the MP3."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "checkpoints", "crashes", "engine", "known", "plain")
