"""What login takes, and answers with, about sign-in by an identity provider."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from functions.login.shapes import Password
from functions.shared.operations import part
from functions.shared.views import Instant

__all__ = [
    "IDENTITY_ID",
    "Identity",
    "IdentityList",
    "LinkedCode",
    "OidcCode",
    "OidcDevice",
    "OidcDeviceCode",
    "OidcLoopback",
    "OidcPending",
    "OidcProvider",
    "OidcStart",
]

# As a text: of JSON, nobody can tell whether 8555.0 is an integer.
Port = Annotated[str, Meta(pattern="^[1-9][0-9]{3,4}$", examples=["8555"])]
IDENTITY_ID = part("identity_id", "The identity, as your list of them names it.", minLength=1, maxLength=64)


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


class OidcLoopback(Struct):
    """Where a program listens that has opened a browser on its own machine."""

    port: Annotated[Port, Meta(description="Its port, at 127.0.0.1.")]


class OidcCode(Struct):
    """What the browser came back from the identity provider with, and what it has kept of the start."""

    code: Annotated[str, Meta(description="As the identity provider gave it. It is good once.")]
    nonce: Annotated[str, Meta(description="Of /v1/oidc/start.")]
    code_verifier: Annotated[str, Meta(description="Of /v1/oidc/start.")]
    iss: Annotated[str | UnsetType, Meta(description="As the identity provider gave it, if it did (RFC 9207).")] = UNSET
    loopback_port: Annotated[Port | UnsetType, Meta(description="Of a sign-in that /v1/oidc/loopback began.")] = UNSET


class OidcDevice(Struct):
    """A sign-in by another device (RFC 8628). The program keeps `device_code`, and shows it to nobody."""

    device_code: Annotated[str, Meta(description="Goes to /v1/oidc/device/token.")]
    user_code: Annotated[str, Meta(description="What to enter at `verification_uri`.", examples=["WDJB-MJHT"])]
    verification_uri: Annotated[str, Meta(description="Where to go with any browser.")]
    verification_uri_complete: Annotated[str | None, Meta(description="The same with the code in it, if there is one.")]
    expires_in: Annotated[int, Meta(description="For how many seconds both codes are good.")]
    interval: Annotated[int, Meta(description="How many seconds to wait, at least, before each question.")]


class OidcDeviceCode(Struct):
    """A sign-in by another device that has begun."""

    device_code: Annotated[str, Meta(max_length=4096, description="Of /v1/oidc/device.")]


class OidcPending(Struct):
    """Nobody has signed in with that code yet."""

    slow_down: Annotated[bool, Meta(description="Whether to wait for five seconds longer from now on.")]


class LinkedCode(OidcCode, kw_only=True):
    """What comes back of a sign-in whose identity is to open the account, too."""

    password: Password


class Identity(Struct):
    """An identity at another provider by which one can sign in to the account."""

    id: Annotated[str, Meta(description="For unlinking it.")]
    issuer: Annotated[
        str, Meta(description="The provider's issuer identifier.", examples=["https://login.example.com"])
    ]
    subject: Annotated[str, Meta(description="Who it is there.", examples=["248289761001"])]
    linked_at: Annotated[Instant, Meta(description="Since when it opens the account.")]


class IdentityList(Struct):
    """By which identities one can sign in to the account."""

    items: Annotated[list[Identity], Meta(description="The oldest first.")]
