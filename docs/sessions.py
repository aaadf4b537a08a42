"""Runs the bash that a page has under a heading, as it stands there: `python3 docs/sessions.py README.md "Talk to it"`.

`NAME=VALUE` after these takes the place of the session's own `NAME=…`. bash stops at the first command that fails.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["SessionError", "command", "main", "session"]

# A block of bash; a block of anything else, whose lines are no headings; a heading.
_PARTS = re.compile(r"^```bash\n(?P<bash>.*?)^```$|^```.*?^```$|^#+ (?P<heading>[^\n]+)$", re.MULTILINE | re.DOTALL)


class SessionError(Exception):
    """The page has no such session; the message says what is missing."""


def session(page: Path, heading: str, settings: Sequence[str] = ()) -> str:
    """The bash between a heading and the next one, with each NAME=VALUE of `settings` in the place of its own.

    Raises: SessionError, OSError.
    """
    found, here = "", False
    for part in _PARTS.finditer(page.read_text(encoding="utf-8")):
        if part["heading"]:
            here = part["heading"] == heading
        elif here:
            found += part["bash"] or ""
    if not found:
        raise SessionError(f"{page} has no bash under a heading {heading!r}")
    for setting in settings:
        found = _set(found, setting)
    return found


def _set(text: str, setting: str) -> str:
    name = setting.partition("=")[0]
    replaced, count = re.subn(rf"^{re.escape(name)}=.*$", lambda _: setting, text, flags=re.MULTILINE)
    if count != 1:
        raise SessionError(f"the session sets {name} {count} times, so that {setting} has no place")
    return replaced


def command(text: str) -> list[str]:
    """The command that runs a session. Not by its stdin, which is what the session's own commands read."""
    return ["bash", "-euo", "pipefail", "-c", text]


def main(arguments: Sequence[str]) -> None:
    """The command line: page, heading, settings. Becomes bash, or exits with what is wrong."""
    page, heading, *settings = arguments
    try:
        argv = command(session(Path(page), heading, settings))
    except SessionError as error:
        sys.exit(str(error))
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
