"""A stand-in for Flask while functions-framework is imported: a fifth of a cold start.

functions-framework imports Flask for functions of WSGI, and there are none here. Of Flask it then uses two names, in
the hint of a type. Whoever asks for any other name gets it from Flask itself, which is imported at that moment.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

__all__ = ["install"]


class _StandIn(ModuleType):
    Request = Any
    typing = SimpleNamespace(ResponseReturnValue=Any)

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get("flask") is self:
            del sys.modules["flask"]
        return getattr(import_module("flask"), name)


def install() -> None:
    """Put it where an import looks first. Does nothing once Flask is imported."""
    sys.modules.setdefault("flask", _StandIn("flask"))
