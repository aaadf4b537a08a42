"""Makes the secrets that tokens rest on: `python -m functions.login.keys` prints audiolift-tokens as JSON.

The JWK set always has the key that tokens will be signed with after this one. So a rotation is one step: whoever checks
tokens knows the new key already, and the old one stays until no token of it is left.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from functions.shared.tokens import ALGORITHM

__all__ = ["ROLLOUT_SECONDS", "TooSoon", "make", "rotated", "without_old_keys"]

# How long it may take until a change of the Secret is with every pod.
ROLLOUT_SECONDS = 3600


class TooSoon(Exception):
    """The next key was announced so recently that some functions may not know it yet."""


def make(at: float = 0) -> dict[str, str]:
    """A new signing key and the one after it (private JWKs, RFC 7517), their JWK set, a link secret of 32 bytes.

    `at`: when the next key is announced, in Unix time; 0 for a system that has nothing older.
    """
    first, following = _private(), _private()
    return {
        "signing-key": json.dumps(first),
        "next-signing-key": json.dumps(following),
        "jwks": json.dumps({"keys": [_public(first), _public(following, iat=int(at))]}),
        "link-secret": secrets.token_urlsafe(32),
    }


def rotated(tokens: Mapping[str, str], at: float, token_seconds: int) -> dict[str, str]:
    """The same secrets, with the next key as the signing key. `token_seconds` is how long an access token is good.

    The old key's public half gets `exp`, after which it may go. Secrets of an older release have no next key: theirs is
    only announced. Raises: TooSoon.
    """
    kept, following = without_old_keys(tokens, at), _private()
    announced = _public(following, iat=int(at))
    if "next-signing-key" not in tokens:
        return _with_keys(kept, [*_keys(kept), announced], {"next-signing-key": json.dumps(following)})
    signing, next_one = (json.loads(tokens[name])["kid"] for name in ("signing-key", "next-signing-key"))
    if any(key["kid"] == next_one and at < key.get("iat", 0) + ROLLOUT_SECONDS for key in _keys(kept)):
        raise TooSoon(f"the next key was announced less than {ROLLOUT_SECONDS} s ago: not every function may know it")
    ends = int(at) + token_seconds + ROLLOUT_SECONDS
    listed = [{**key, "exp": ends} if key["kid"] == signing else key for key in _keys(kept)]
    changes = {"signing-key": tokens["next-signing-key"], "next-signing-key": json.dumps(following)}
    return _with_keys(kept, [*listed, announced], changes)


def without_old_keys(tokens: Mapping[str, str], at: float) -> dict[str, str]:
    """The same secrets, without the public keys whose last token is over."""
    return _with_keys(tokens, [key for key in _keys(tokens) if key.get("exp", at) >= at], {})


def _keys(tokens: Mapping[str, str]) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = json.loads(tokens["jwks"])["keys"]
    return keys


def _with_keys(tokens: Mapping[str, str], keys: list[dict[str, Any]], changes: Mapping[str, str]) -> dict[str, str]:
    return {**tokens, **changes, "jwks": json.dumps({"keys": keys})}


def _private() -> dict[str, Any]:
    key = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    return {**key, "kid": secrets.token_hex(8), "alg": ALGORITHM, "use": "sig"}


def _public(private: Mapping[str, Any], **more: int) -> dict[str, Any]:
    # `iat` and `exp` as OpenID Federation 1.0, section 8.7.2, has them in a JWK; others pass them over (RFC 7517, 4).
    return {name: value for name, value in private.items() if name != "d"} | more


if __name__ == "__main__":
    print(json.dumps(make()))
