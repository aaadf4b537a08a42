"""Prints new Secrets for the overlay `kind`, as a manifest: `make secrets | kubectl create -f -`.

Only for trying out: nothing is written to disk, and `create` refuses to replace what is there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import yaml

from functions.login import keys

__all__ = ["made", "main"]


def made() -> Mapping[str, Mapping[str, str]]:
    """New values by Secret and key."""
    rows, files = secrets.token_hex(16), secrets.token_hex(16)
    mongodb = f"mongodb://audiolift:{files}@mongodb.audiolift.svc.cluster.local/audiolift?authSource=admin"
    stores = {
        "mysql-password": rows,
        "database-url": f"mysql+pymysql://audiolift:{rows}@mysql.audiolift.svc.cluster.local/audiolift",
        "mongodb-password": files,
        "blobs-url": mongodb,
        "limits-url": mongodb,
    }
    mail = {"smtp-url": "smtp://mail.audiolift.svc.cluster.local:1025"}
    return {"audiolift-stores": stores, "audiolift-tokens": keys.make(), "audiolift-mail": mail}


def main() -> None:
    """The command line."""
    for name, values in made().items():
        metadata = {"name": name, "namespace": "audiolift"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(values)}
        print(yaml.safe_dump(secret, explicit_start=True), end="")


if __name__ == "__main__":
    main()
