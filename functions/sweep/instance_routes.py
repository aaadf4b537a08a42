"""The functions and their instances, for operators."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.shared.api import json_response
from functions.shared.operations import Access, Success
from functions.shared.scopes import Scope
from functions.sweep import instances
from functions.sweep.instance_shapes import Functions
from functions.sweep.routes import routes

__all__ = ["list_functions"]


@routes.operation(
    "GET",
    "/v1/admin/functions",
    tag="Administration",
    access=Access.TOKEN,
    scope=Scope.ADMIN,
    answers={200: Success("The functions.", Functions)},
)
def list_functions(_request: Request, user_id: str) -> Response:
    """The functions, and how many instances of each run, start and end.

    As Kubernetes lists their pods at this moment. One that has nothing to do has none.
    """
    return json_response(instances.of_functions())
