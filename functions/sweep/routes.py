"""The part of the API that sweep has: all its modules declare their routes in it."""

from __future__ import annotations

from starlette.requests import Request

from functions.shared import audit, blobs, database
from functions.shared.api import Api
from functions.shared.jobs import rollouts
from functions.shared.middleware.telemetry import REQUEST_ID
from functions.shared.once import once

__all__ = ["actor", "routes"]


@once
def _take_over() -> None:
    """From the sweep of the release before, which gets no events once this one is ready."""
    rollouts.end(rollouts.OLD_SWEEP)


routes = Api(lambda: database.ping(), lambda: blobs.store().ping(), _take_over)


def actor(request: Request, user_id: str) -> audit.Actor:
    """Who asks, for the audit."""
    return audit.Actor(user_id, request.headers[REQUEST_ID])
