"""What login takes, and answers with, about the session of a browser."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.login.shapes import AccessToken, Password

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


class PageToken(AccessToken):
    """An access token of a browser's session, whose refresh token is in the cookie."""

    available_scope: Annotated[
        str, Meta(description="All scopes that a renewal may ask for.", examples=["jobs:read jobs:write admin"])
    ]
