"""Runs what parses the videos of strangers in a child that can only compute, read ranges and send messages."""

from typing import TYPE_CHECKING

from functions.shared.late import late

if not TYPE_CHECKING:
    __getattr__ = late(__name__, "nursery")
