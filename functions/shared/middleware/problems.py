"""Errors become problem details (RFC 9457): what a caller did wrong, a store that is away, and all else as a 500."""

from __future__ import annotations

import logging

from starlette.responses import Response

from functions.shared import telemetry
from functions.shared.middleware import Call, Middleware
from functions.shared.problems import Problem, Unavailable
from functions.shared.routing import loggable

__all__ = ["Problems", "problem_response"]

log = logging.getLogger(__name__)


def problem_response(problem: Problem) -> Response:
    """The response that tells of a problem."""
    telemetry.count("audiolift.refusals", problem=problem.code)
    return Response(problem.body(), problem.status, problem.headers)


class Problems(Middleware):
    """Tells of every error; of those that are not the caller's in the log, too."""

    def failed(self, call: Call, error: Exception) -> Response:
        """The problem details."""
        if isinstance(error, Problem):
            return problem_response(error)
        # Not request.url: that has the Host in it, which may be anything.
        what = f"{call.request.method} {loggable(call.request.scope['path'])}"
        if isinstance(error, Unavailable):
            log.warning("%s: %s", what, error)
            return problem_response(error.problem())
        log.error("%s failed", what, exc_info=error)
        return problem_response(Problem("internal", "The error has been logged. Try again later."))
