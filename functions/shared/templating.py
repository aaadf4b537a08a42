"""Templates of mails: those of one function, and the layout that all of them have."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

__all__ = ["SHARED", "templates"]

SHARED = Path(__file__).with_name("templates")


@functools.cache
def templates(*folders: Path) -> Environment:
    """The templates of these folders, and the shared ones.

    In plain text there is nothing to escape: what is put in holds no control characters, so that no line can be forged.
    """
    return Environment(
        loader=FileSystemLoader([*folders, SHARED]),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    )
