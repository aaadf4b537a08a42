"""Modules that are imported when they are first used: SQLAlchemy, pymongo and jwt are most of a cold start."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["late"]


class _Late:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        # The import system's own locks make other threads wait until the module is whole.
        return getattr(import_module(self._name), attribute)


def late(package: str, *modules: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package (PEP 562) that gives stand-ins for modules which are not imported yet.

    `from package import module` then costs nothing, and `module.something` imports it.
    """

    def stand_in(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return _Late(f"{package}.{name}")

    return stand_in
