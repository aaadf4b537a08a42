"""What the links in mails lead to: the page, or without JavaScript a form that has the link's token in it.

To look at either uses nothing up: mail programs open links by themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from functions.gateway import shell
from functions.gateway.plain import asking, rendering
from functions.gateway.plain.forms import door, entered_by, fields
from functions.gateway.plain.visits import HOME
from functions.shared.problems import Problem
from functions.shared.routing import Routes

__all__ = ["add_to", "confirm", "forget", "look", "reset"]

# The parameter with which the page's HTML has a browser without JavaScript come again, to wherever it is.
_PLAIN = "plain"
# What is said in the form of a link.
_SAID_THERE = ("wrong-password", "invalid-account", "invalid-link", "email-taken", "too-many-attempts")
Handler = Callable[..., Awaitable[Response]]


def add_to(routes: Routes) -> None:
    """Have these routes answer them."""
    posted: dict[str, Handler] = {"verify": confirm, "reset": reset}
    for action, handler in posted.items():
        routes.add("GET", f"/{action}/<token>")(partial(look, action))
        routes.add("POST", f"{HOME}/{action}")(handler)
    routes.add("POST", f"{HOME}/forgot")(forget)


async def look(action: str, request: Request, token: str, **_caller: str) -> Response:
    """The page, whose script knows what to do; or the form."""
    if _PLAIN not in request.query_params:
        return shell.page(request, without_script=f"?{_PLAIN}")
    return rendering.page(request, "link", action=action, token=token, problem=None)


async def confirm(request: Request, **_caller: str) -> Response:
    """Confirms an address, and signs in."""
    given = await fields(request)
    body = {"token": given.get("token", ""), "password": given.get("password", "")}
    try:
        made = await asking.ask(request, "login", "POST", "/v1/users/verify", body)
    except Problem as problem:
        return _again(request, "verify", body["token"], problem)
    return await entered_by(request, {**given, "email": made.body["email"]})


async def reset(request: Request, **_caller: str) -> Response:
    """Sets another password; then comes the form to sign in with it."""
    given = await fields(request)
    body = {"token": given.get("token", ""), "new_password": given.get("password", "")}
    try:
        await asking.ask(request, "login", "POST", "/v1/password/reset", body)
    except Problem as problem:
        return _again(request, "reset", body["token"], problem)
    return door(request, notice="signin.reset.done")


async def forget(request: Request, **_caller: str) -> Response:
    """Has a link mailed by which another password can be chosen, by the form to sign in."""
    given = await fields(request)
    email = given.get("email", "")
    try:
        await asking.ask(request, "login", "POST", "/v1/password/forgot", {"email": email})
    except Problem as problem:
        if problem.code != "invalid-account":
            raise
        return door(request, problem.status, problem=problem, email=email)
    return door(request, notice="signin.mailed")


def _again(request: Request, action: str, token: str, problem: Problem) -> Response:
    """The form again, with what is wrong. Raises: the problem, if that is not of the form."""
    if problem.code not in _SAID_THERE:
        raise problem
    return rendering.page(request, "link", problem.status, action=action, token=token, problem=problem)
