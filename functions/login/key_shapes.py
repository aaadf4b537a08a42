"""What login takes, and answers with, about API keys."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from functions.shared import tables
from functions.shared.api_keys import PATTERN
from functions.shared.problems import Problem
from functions.shared.views import Instant

__all__ = ["MAX_KEYS", "ApiKey", "ApiKeyList", "KeyScope", "MadeApiKey", "NewApiKey"]

MAX_KEYS, MAX_KEY_NAME = 20, 100
# Those of FOR_KEYS in functions/shared/scopes.py.
KeyScope = Literal["jobs:read", "jobs:write", "account:read"]
# Beyond it, a time zone may lead to a year that neither Python nor the databases know.
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
# One line, and nothing that turns the direction of what follows it.
_KEY_NAME = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]+$(?!\\n)"


class NewApiKey(Struct, forbid_unknown_fields=True):
    """An API key to be made."""

    name: Annotated[
        str,
        Meta(
            description="What it is for.",
            examples=["backup"],
            min_length=1,
            max_length=MAX_KEY_NAME,
            extra_json_schema={"pattern": _KEY_NAME},
        ),
    ]
    scopes: Annotated[list[KeyScope], Meta(description="What it may.", min_length=1, max_length=8)]
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When it ends by itself; never, if this is null or left out."),
    ] = None

    def __post_init__(self) -> None:
        if not re.search(_KEY_NAME, self.name):
            raise Problem("bad-request", "`name` must be one line, without characters that cannot be seen.")
        if self.expires_at and not tables.now() < self.expires_at < _END_OF_TIME:
            raise Problem("bad-request", "`expires_at` must be in the future, and before the year 9999.")


class ApiKey(Struct, kw_only=True):
    """An API key, as its owner sees it later."""

    id: Annotated[str, Meta(description="For revoking it.")]
    name: Annotated[str, Meta(description="What it is for.", examples=["backup"])]
    start: Annotated[str, Meta(description="The first characters of the key.", examples=["al_Xy3k"])]
    scopes: Annotated[list[KeyScope], Meta(description="What it may.")]
    created_at: Annotated[Instant, Meta(description="When it was made.")]
    expires_at: Annotated[Instant | None, Meta(description="When it ends by itself; null if never.")]
    last_used_at: Annotated[Instant | None, Meta(description="When it was last used, to the minute; null if never.")]


class MadeApiKey(ApiKey, kw_only=True):
    """An API key that has just been made."""

    key: Annotated[
        str,
        Meta(
            description="Send it as `Authorization: Bearer …`. It is not shown again.",
            examples=["al_0123456789abcdefghijABCDEFGHIJKL0a1B2c"],
            extra_json_schema={"pattern": f"^{PATTERN}$"},
        ),
    ]


class ApiKeyList(Struct):
    """All API keys of an account."""

    items: Annotated[list[ApiKey], Meta(description=f"Newest first, at most {MAX_KEYS}.")]
