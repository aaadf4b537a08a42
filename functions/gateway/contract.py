"""The API as the gateway knows it: the OpenAPI document, which `make docs` makes from what the functions declare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.shared.operations import Access

__all__ = ["DOCUMENT", "Operation", "document", "operations"]

DOCUMENT = Path(__file__).with_name("openapi.json")


@dataclass(frozen=True)
class Operation:
    """What the gateway has to know of one method of one path: who answers it, how soon, and who is needed next."""

    method: str
    path: str
    access: Access
    function: str
    wakes: tuple[str, ...]
    seconds: int


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    read: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return read


def operations() -> Iterator[Operation]:
    """Every operation in the document."""
    for template, methods in document()["paths"].items():
        path = re.sub(r"{(\w+)}", r"<\1>", template)
        for method, found in methods.items():
            access = Access.TOKEN if {"token": []} in found["security"] else Access.PUBLIC
            wakes = tuple(found.get("x-wakes", ()))
            yield Operation(method.upper(), path, access, found["x-function"], wakes, found["x-seconds"])
