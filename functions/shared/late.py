"""Modules that are imported when they are first used: SQLAlchemy, pymongo and jwt are most of a cold start."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["late"]


class _Late:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        # The import system's own locks make other threads wait until the module is whole.
        return getattr(import_module(self._name), attribute)


def late(package: str, *modules: str) -> tuple[Any, ...]:
    """Stand-ins for modules of a package, to be used like them; beside them goes the import for type checkers."""
    return tuple(_Late(f"{package}.{module}") for module in modules)
