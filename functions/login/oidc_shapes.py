"""What login takes, and answers with, about sign-in by an identity provider."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = ["OidcCode", "OidcProvider", "OidcStart"]


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
