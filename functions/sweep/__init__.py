"""Keeps everything moving."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(
        __name__,
        "accounts",
        "activity",
        "administration",
        "batches",
        "dead_letters",
        "events",
        "files",
        "giving_up",
        "healing",
        "history",
        "letters",
        "replays",
        "retention",
    )
