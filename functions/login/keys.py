"""Makes the secrets that tokens rest on: `python -m functions.login.keys` prints audiolift-tokens as JSON."""

from __future__ import annotations

import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from functions.shared.tokens import ALGORITHM

__all__ = ["make"]


def make() -> dict[str, str]:
    """A new signing key (private JWK), the JWK set with its public half (RFC 7517), and a link secret of 32 bytes."""
    private = ec.generate_private_key(ec.SECP256R1())
    common = {"kid": secrets.token_hex(8), "alg": ALGORITHM, "use": "sig"}
    return {
        "signing-key": json.dumps({**_jwk(private), **common}),
        "jwks": json.dumps({"keys": [{**_jwk(private.public_key()), **common}]}),
        "link-secret": secrets.token_urlsafe(32),
    }


def _jwk(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> dict[str, Any]:
    return ECAlgorithm.to_jwk(key, as_dict=True)


if __name__ == "__main__":
    print(json.dumps(make()))
