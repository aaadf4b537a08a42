"""Changes the key that tokens are signed with, without signing anybody out: `make rotate`.

On one machine the keys are in data/secrets.json, and the change holds from the next start on. Of a cluster, the Secret
is read from the standard input and written to the standard output:

    kubectl get secret audiolift-tokens --namespace audiolift -o json | make rotate SECRET=- | kubectl replace -f -

"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from functions.login import keys
from functions.shared import settings
from knative.local.errors import StartError
from knative.local.secrets import keep_tokens, kept_tokens

__all__ = ["main"]

Change = Callable[[Mapping[str, str]], dict[str, str]]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m knative.rotate", description=__doc__)
    parser.add_argument(
        "where", nargs="?", default="data/secrets.json", help="the file, or - for a Secret by way of us"
    )
    parser.add_argument("--drop", action="store_true", help="only take away public keys that no token is left of")
    arguments = parser.parse_args()
    change = _drop if arguments.drop else _rotate
    try:
        _in_manifest(change) if arguments.where == "-" else _in_file(Path(arguments.where), change)
    except (keys.TooSoon, StartError) as error:
        sys.exit(f"Nothing was changed: {error}")


def _rotate(tokens: Mapping[str, str]) -> dict[str, str]:
    return keys.rotated(tokens, time.time(), settings.number("ACCESS_TOKEN_SECONDS"))


def _drop(tokens: Mapping[str, str]) -> dict[str, str]:
    return keys.without_old_keys(tokens, time.time())


def _in_file(path: Path, change: Change) -> None:
    keep_tokens(path, change(kept_tokens(path)))
    print(f"{path} has changed; it holds from the next start on")


def _in_manifest(change: Change) -> None:
    """With its resourceVersion: a Secret that somebody else has changed meanwhile is not replaced."""
    secret = json.load(sys.stdin)
    tokens = change({name: base64.b64decode(value).decode() for name, value in secret["data"].items()})
    data = {name: base64.b64encode(value.encode()).decode() for name, value in tokens.items()}
    print(json.dumps({**secret, "data": data}))


if __name__ == "__main__":
    main()
