"""What a client says of a resumable upload: Upload-Metadata → the video's name, and the conversion's options."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

from functions.shared import options
from functions.shared.file_names import clean_name
from functions.shared.problems import Problem

__all__ = ["parse", "read"]

# What clients send by themselves: tus-js-client and tusd's examples `filename` and `filetype`, Uppy all of them.
NAMES = ("filename", "name")
KNOWN = (*NAMES, "filetype", "type", "relativePath")


def parse(header: str) -> dict[str, str]:
    """The pairs of an Upload-Metadata header (tus 1.0.0, creation): key, space, value in Base64; comma between.

    Raises: Problem when it is none.
    """
    pairs: dict[str, str] = {}
    for each in header.split(",") if header.strip() else ():
        key, _, value = each.strip().partition(" ")
        if not key or not key.isascii() or key in pairs:
            raise _no_metadata("each key is there once, in ASCII, and not empty")
        pairs[key] = _text(key, value)
    return pairs


def read(header: str) -> tuple[str, dict[str, Any]]:
    """The video's name, cleaned, and the options. Raises: Problem, by name for what is neither."""
    pairs = parse(header)
    name = next((pairs[key] for key in NAMES if pairs.get(key)), "")
    return clean_name(name), options.parse({key: value for key, value in pairs.items() if key not in KNOWN})


def _text(key: str, value: str) -> str:
    try:
        return b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _no_metadata(f"the value of `{key[:40]}` must be UTF-8 in Base64") from None


def _no_metadata(why: str) -> Problem:
    return Problem("bad-request", f"Upload-Metadata cannot be read: {why}.")
