"""The part of the API that sweep has."""

from __future__ import annotations

from functions.shared import blobs, database
from functions.shared.api import Api
from functions.shared.jobs import rollouts
from functions.shared.once import once

__all__ = ["routes"]


@once
def _take_over() -> None:
    """From the sweep of the release before, which gets no events once this one is ready."""
    rollouts.end(rollouts.OLD_SWEEP)


routes = Api(lambda: database.ping(), lambda: blobs.store().ping(), _take_over)
