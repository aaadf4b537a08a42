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
        "gauges",
        "giving_up",
        "healing",
        "history",
        "instances",
        "letters",
        "pods",
        "refusals",
        "reminding",
        "replays",
        "retention",
        "timeline",
    )
