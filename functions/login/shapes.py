"""What login takes, and what it answers with."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.login import policy
from functions.login.policy import MAX_PASSWORD, MIN_PASSWORD
from functions.shared.problems import Problem
from functions.shared.views import Instant

__all__ = [
    "MAX_PASSWORD",
    "MIN_PASSWORD",
    "AccessToken",
    "Account",
    "AddressChange",
    "Forgotten",
    "Grant",
    "KeySet",
    "LinkOpened",
    "NewUser",
    "Password",
    "PasswordChange",
    "PasswordReset",
    "Proof",
    "Quotas",
    "Revocation",
    "Session",
    "SessionList",
    "Token",
    "Usage",
    "User",
]

# HTML, section 4.10.5.1.5: what a browser takes for an address. Stricter than RFC 5322: one address, in plain ASCII.
# "=?" begins an encoded word (RFC 2047), which a mail library may take for another address.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = rf"^(?!.*=\?)[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*$"
# RFC 5321, section 4.5.3.1.3, less the angle brackets.
MAX_EMAIL = 254
Email = Annotated[
    str, Meta(description="Where notices go.", extra_json_schema={"pattern": _EMAIL, "maxLength": MAX_EMAIL})
]
NewPassword = Annotated[
    str,
    Meta(
        description="Any characters, but none of the most common passwords.",
        extra_json_schema={"minLength": MIN_PASSWORD, "maxLength": MAX_PASSWORD},
    ),
]
Password = Annotated[str, Meta(description="The password of the account.")]
MailedToken = Annotated[str, Meta(description="What stands behind the `=` of the link in the mail. It is good once.")]


class NewUser(Struct):
    """An account to be made. Raises: Problem (422) when it cannot be."""

    email: Email
    password: NewPassword

    def __post_init__(self) -> None:
        self.email = _address(self.email)
        policy.check(self.password, self.email)


class LinkOpened(Struct):
    """What confirms an address: the link that was mailed there, and the password of the account."""

    token: MailedToken
    password: Password


class AddressChange(Struct):
    """Another address for an account. Raises: Problem (422) when it is none."""

    email: Email
    password: Password

    def __post_init__(self) -> None:
        self.email = _address(self.email)


class PasswordChange(Struct):
    """Another password for an account."""

    password: Password
    new_password: NewPassword


class PasswordReset(Struct):
    """Another password for an account whose password was forgotten."""

    token: MailedToken
    new_password: NewPassword


class Forgotten(Struct):
    """Whose password was forgotten. Raises: Problem (422) when it is no address."""

    email: Annotated[
        str,
        Meta(
            description="The address of the account.",
            examples=["anna@example.com"],
            extra_json_schema={"pattern": _EMAIL, "maxLength": MAX_EMAIL},
        ),
    ]

    def __post_init__(self) -> None:
        self.email = _address(self.email)


class Proof(Struct):
    """That it is the owner of the account who asks."""

    password: Password


def _address(email: str) -> str:
    """It, in lower case. Raises: Problem (422) when it is not one plain address."""
    # Before it is in lower case: some letters become ASCII by that.
    plain, email = email.isascii(), email.strip().lower()
    if not plain or len(email) > MAX_EMAIL or not re.fullmatch(_EMAIL, email):
        raise Problem("invalid-account", "`email` must be an email address.")
    return email


class User(Struct):
    """An account, as its owner sees it."""

    id: Annotated[str, Meta(description="The account.", examples=["3f0c1a5e9d7b4c2f8e6a0b1d2c3e4f50"])]
    email: Annotated[str, Meta(description="In lower case.", examples=["anna@example.com"])]
    created_at: Annotated[Instant, Meta(description="When it was made.", examples=["2026-11-26T12:00:00.000Z"])]


class Usage(Struct):
    """What an account has now of each quota."""

    jobs: Annotated[int, Meta(description="Jobs that are not over.")]
    stored_bytes: Annotated[int, Meta(description="Videos and MP3s that are stored, and uploads under way.")]
    minutes_a_day: Annotated[float, Meta(description="Minutes of MP3s made today (UTC).")]


class Quotas(Struct):
    """What an account may have; null for no limit."""

    jobs: Annotated[int | None, Meta(description="Jobs at a time.")]
    stored_bytes: Annotated[int | None, Meta(description="Bytes stored.")]
    minutes_a_day: Annotated[int | None, Meta(description="Minutes of MP3s made a day.")]


class Account(User):
    """An account, with what it has and may have."""

    usage: Annotated[Usage, Meta(description="What it has now.")]
    quotas: Annotated[Quotas, Meta(description="What it may have.")]


GRANT_TYPES = ("password", "refresh_token")


class Grant(Struct):
    """What is traded for tokens (RFC 6749, sections 4.3 and 6)."""

    grant_type: Annotated[
        str | UnsetType,
        Meta(
            description="What is traded for the tokens; `password` unless said, with HTTP Basic.",
            examples=["password"],
            extra_json_schema={"enum": [*GRANT_TYPES]},
        ),
    ] = UNSET
    username: Annotated[
        str | UnsetType, Meta(description="The email address; with grant_type password.", examples=["anna@example.com"])
    ] = UNSET
    password: Annotated[
        str | UnsetType, Meta(description="With grant_type password.", examples=["a long pass phrase"])
    ] = UNSET
    refresh_token: Annotated[str | UnsetType, Meta(description="With grant_type refresh_token. It is good once.")] = (
        UNSET
    )
    scope: Annotated[
        str | UnsetType,
        Meta(description="The scopes that are wanted, space between; all that you may have unless said."),
    ] = UNSET


class AccessToken(Struct):
    """An access token, and whose it is."""

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
    session_id: Annotated[
        str,
        Meta(
            description="The session that it is of; `GET /v1/me/sessions` lists it.",
            examples=["0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"],
        ),
    ]


class Token(AccessToken):
    """A token response (RFC 6749, section 5.1)."""

    refresh_token: Annotated[str, Meta(description="Gets the next tokens, once.", examples=["Zm9yIG9uZSB1c2Ugb25seQ"])]


class Revocation(Struct):
    """A token that is to be good no more (RFC 7009, section 2.1)."""

    token: Annotated[str, Meta(description="A refresh token; its session ends.")]
    token_type_hint: Annotated[str | UnsetType, Meta(description="Not needed: tokens are found without it.")] = UNSET


class Session(Struct):
    """A sign-in that is still good, by its refresh tokens."""

    id: Annotated[str, Meta(description="The `session_id` of its tokens.")]
    signed_in_at: Annotated[Instant | None, Meta(description="When it began; null for very old ones.")]
    used_at: Annotated[Instant | None, Meta(description="When its tokens were renewed last; null for very old ones.")]
    user_agent: Annotated[str, Meta(description="What the program said that it is, which may be anything.")]


class SessionList(Struct):
    """Sessions."""

    items: Annotated[list[Session], Meta(description="Those used last come first; 100 at most.")]


class KeySet(Struct):
    """A JWK set."""

    keys: Annotated[
        list[dict[str, Any]],
        Meta(
            description="Public JWKs (RFC 7517).",
            examples=[[{"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256", "use": "sig"}]],
        ),
    ]
