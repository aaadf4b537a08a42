"""What login takes, and what it answers with."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.shared.problems import Problem
from functions.shared.views import Instant

__all__ = [
    "MAX_PASSWORD",
    "MIN_PASSWORD",
    "Grant",
    "KeySet",
    "NewUser",
    "OidcCode",
    "OidcProvider",
    "OidcStart",
    "Token",
    "User",
]

# HTML, section 4.10.5.1.5: what a browser takes for an address. Stricter than RFC 5322: one address, in plain ASCII.
# "=?" begins an encoded word (RFC 2047), which a mail library may take for another address.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = rf"^(?!.*=\?)[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*$"
# RFC 5321, section 4.5.3.1.3, less the angle brackets.
MAX_EMAIL = 254
# NIST SP 800-63B, section 5.1.1.2: at least 8 characters, long ones welcome, no composition rules.
MIN_PASSWORD, MAX_PASSWORD = 8, 256


class NewUser(Struct):
    """An account to be made. Raises: Problem (422) when it cannot be."""

    email: Annotated[
        str, Meta(description="Where notices go.", extra_json_schema={"pattern": _EMAIL, "maxLength": MAX_EMAIL})
    ]
    password: Annotated[
        str,
        Meta(description="Any characters.", extra_json_schema={"minLength": MIN_PASSWORD, "maxLength": MAX_PASSWORD}),
    ]

    def __post_init__(self) -> None:
        # Before it is in lower case: some letters become ASCII by that.
        plain, self.email = self.email.isascii(), self.email.strip().lower()
        if not plain or len(self.email) > MAX_EMAIL or not re.fullmatch(_EMAIL, self.email):
            raise Problem("invalid-account", "`email` must be an email address.")
        if not MIN_PASSWORD <= len(self.password) <= MAX_PASSWORD:
            raise Problem("invalid-account", f"`password` must have {MIN_PASSWORD} to {MAX_PASSWORD} characters.")


class User(Struct):
    """An account, as its owner sees it."""

    id: Annotated[str, Meta(description="The account.")]
    email: Annotated[str, Meta(description="In lower case.")]
    created_at: Annotated[Instant, Meta(description="When it was made.")]


GRANT_TYPES = ("password", "refresh_token")


class Grant(Struct):
    """What is traded for tokens (RFC 6749, sections 4.3 and 6)."""

    grant_type: Annotated[
        str | UnsetType,
        Meta(
            description="What is traded for the tokens; `password` unless said, with HTTP Basic.",
            extra_json_schema={"enum": [*GRANT_TYPES]},
        ),
    ] = UNSET
    username: Annotated[str | UnsetType, Meta(description="The email address; with grant_type password.")] = UNSET
    password: Annotated[str | UnsetType, Meta(description="With grant_type password.")] = UNSET
    refresh_token: Annotated[str | UnsetType, Meta(description="With grant_type refresh_token. It is good once.")] = (
        UNSET
    )


class Token(Struct):
    """A token response (RFC 6749, section 5.1)."""

    access_token: Annotated[str, Meta(description="A JWT; send it as `Authorization: Bearer …`.")]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds until the access token ends.")]
    refresh_token: Annotated[str, Meta(description="Gets the next tokens, once.")]


class KeySet(Struct):
    """A JWK set."""

    keys: Annotated[list[dict[str, Any]], Meta(description="Public JWKs (RFC 7517).")]


class OidcProvider(Struct):
    """By whom people can sign in here."""

    issuer: Annotated[
        str | None, Meta(description="The identity provider's issuer identifier; null when there is none.")
    ]


class OidcStart(Struct):
    """A sign-in that begins. The browser's tab keeps all but the address, and shows it to nobody."""

    authorization_url: Annotated[str, Meta(description="Where the browser goes next.")]
    state: Annotated[str, Meta(description="What the answer must bring back; take no answer that does not.")]
    nonce: Annotated[str, Meta(description="Goes to /v1/oidc/callback with the code.")]
    code_verifier: Annotated[str, Meta(description="Goes to /v1/oidc/callback with the code (RFC 7636).")]


class OidcCode(Struct):
    """What the browser came back from the identity provider with, and what it has kept of the start."""

    code: Annotated[str, Meta(description="As the identity provider gave it. It is good once.")]
    nonce: Annotated[str, Meta(description="Of /v1/oidc/start.")]
    code_verifier: Annotated[str, Meta(description="Of /v1/oidc/start.")]
    iss: Annotated[str | UnsetType, Meta(description="As the identity provider gave it, if it did (RFC 9207).")] = UNSET
