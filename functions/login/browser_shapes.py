"""What login takes, and answers with, about the session of a browser."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.login.shapes import Password

__all__ = ["Credentials", "PageToken", "Renewal"]


class Credentials(Struct):
    """Who signs in."""

    email: Annotated[str, Meta(description="The address of the account.", examples=["anna@example.com"])]
    password: Password


class Renewal(Struct):
    """What the next access token is to be for."""

    scope: Annotated[
        str | UnsetType,
        Meta(
            description="Scopes out of `available_scope`, space between; all but `admin` unless said.",
            examples=["jobs:read jobs:write"],
        ),
    ] = UNSET


class PageToken(Struct):
    """An access token of a browser's session, whose refresh token is in the cookie."""

    access_token: Annotated[
        str,
        Meta(
            description="A JWT; send it as `Authorization: Bearer …`.",
            examples=["eyJhbGciOiJFUzI1NiIsImtpZCI6IjEiLCJ0eXAiOiJhdCtqd3QifQ.eyJzdWIiOiIzZjBjIn0.c2lnbmF0dXJl"],
        ),
    ]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds until the access token ends.", examples=[900])]
    scope: Annotated[
        str, Meta(description="The scopes of the access token, space between.", examples=["jobs:read jobs:write"])
    ]
    available_scope: Annotated[
        str, Meta(description="All scopes that a renewal may ask for.", examples=["jobs:read jobs:write admin"])
    ]
    session_id: Annotated[
        str,
        Meta(description="The session; `GET /v1/me/sessions` lists it.", examples=["0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"]),
    ]
