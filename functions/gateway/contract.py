"""The API as the gateway knows it: the OpenAPI document, which `make docs` makes from what the functions declare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from functions.shared.operations import Access
from functions.shared.scopes import Scope

__all__ = ["DOCUMENT", "Target", "document", "operations", "scope_of", "text"]

DOCUMENT = Path(__file__).with_name("openapi.json")


@dataclass(frozen=True)
class Target:
    """What the gateway has to know of one method of one path: who answers it, how soon, and who is needed next.

    `scope` is what a token must have; None when it takes none. `own_page` says that our own page alone may ask for it.
    """

    method: str
    path: str
    scope: Scope | None
    function: str
    wakes: tuple[str, ...]
    seconds: int
    own_page: bool
    by_cookie: bool

    @property
    def access(self) -> Access:
        """As far as the gateway is concerned."""
        by_nothing = Access.COOKIE if self.by_cookie else Access.PUBLIC
        return Access.TOKEN if self.scope else by_nothing


@cache
def text() -> bytes:
    """The OpenAPI document, as it is sent."""
    return DOCUMENT.read_bytes()


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    read: dict[str, Any] = json.loads(text())
    return read


def operations() -> Iterator[Target]:
    """Every operation in the document."""
    for template, methods in document()["paths"].items():
        path = re.sub(r"{(\w+)}", r"<\1>", template)
        for method, found in methods.items():
            by_page = (found.get("x-own-page", False), {"session": []} in found["security"])
            about = (tuple(found.get("x-wakes", ())), found["x-seconds"], *by_page)
            yield Target(method.upper(), path, scope_of(found), found["x-function"], *about)


def scope_of(operation: Mapping[str, Any]) -> Scope | None:
    """The scope that an operation of the document asks for; None when it takes no token."""
    return next((Scope(*asked["token"]) for asked in operation["security"] if "token" in asked), None)
