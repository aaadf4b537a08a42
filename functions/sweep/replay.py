"""Replays dead letters: `python -m functions.sweep.replay [ID …]`, or lists them. Sweep does it at its next tick."""

from __future__ import annotations

import argparse
import sys

from functions.shared.tables import dead_letters
from functions.sweep.dead_letters import listed, want_replay

__all__ = ["main"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m functions.sweep.replay", description=__doc__)
    parser.add_argument("id", nargs="*", help="the dead letters to replay")
    parser.add_argument("--all", action="store_true", help="replay every dead letter that was not replayed yet")
    chosen = parser.parse_args()
    if chosen.all:
        return _say(want_replay(dead_letters.c.state == "recorded"))
    if chosen.id:
        return _say(want_replay(dead_letters.c.id.in_(chosen.id)))
    for letter in listed():
        print(letter.id, letter.state, letter.attributes["type"], letter.attributes.get("subject", "-"), letter.reason)
    return None


def _say(count: int) -> None:
    if not count:
        sys.exit("There is no such dead letter; without arguments this lists them.")
    print(f"{count} to be replayed at sweep's next tick, within a minute.")


if __name__ == "__main__":
    main()
