"""Lists dead letters: `python -m functions.sweep.replay`; or shows, settles or has sweep's next tick replay them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from functions.shared import settings
from functions.shared.problems import Unavailable
from functions.shared.tables import dead_letters
from functions.sweep.letters import printable
from functions.sweep.replays import OPEN, REPLAYS_A_TICK, closed, cut_off, found, listed, settle, want_replay

__all__ = ["main"]

NONE = "There is no such dead letter; without arguments this lists them."


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m functions.sweep.replay", description=__doc__)
    parser.add_argument("id", nargs="*", help="the dead letters to replay")
    parser.add_argument("--all", action="store_true", help="replay every dead letter that was not replayed yet")
    parser.add_argument("--show", metavar="ID", help="print one dead letter whole")
    parser.add_argument("--settle", metavar="ID", nargs="+", help="take dead letters off the list: they are dealt with")
    chosen = parser.parse_args()
    try:
        settings.check()
        _do(chosen)
    except (settings.SettingError, Unavailable) as error:
        sys.exit(f"audiolift: {error}")


def _do(chosen: argparse.Namespace) -> None:
    if chosen.show:
        return _show(found(chosen.show))
    if chosen.settle:
        return _settle(chosen.settle)
    if chosen.all:
        return _replay(dead_letters.c.state.in_(OPEN), {"all": True})
    if chosen.id:
        return _replay(dead_letters.c.id.in_(chosen.id), {"ids": chosen.id})
    return _list()


def _list() -> None:
    for letter in listed():
        about = f"{letter.attributes['type'] or '-'} {letter.attributes.get('subject') or '-'}"
        why = f"{letter.reason}{f' [{letter.note}]' if letter.note else ''}"
        print(printable(f"{letter.id} {letter.state}, replays: {letter.replays}, {about} {why}"))
    if hidden := closed():
        print(f"{hidden} that have healed or were settled are not listed.")


def _settle(ids: list[str]) -> None:
    if not (count := settle(dead_letters.c.id.in_(ids), named={"ids": ids})):
        sys.exit(NONE)
    print(f"{count} settled.")


def _show(letter: Any) -> None:
    if letter is None:
        sys.exit(NONE)
    kept = {"attributes": letter.attributes, "headers": letter.headers, "reason": letter.reason, "note": letter.note}
    # ASCII: nothing in it can steer a terminal.
    print(json.dumps({"id": letter.id, "state": letter.state, "replays": letter.replays, **kept}, indent=2))
    print(repr(letter.data)[2:-1])


def _replay(which: Any, named: dict[str, Any]) -> None:
    wanted, cut = want_replay(which, named=named), cut_off(which)
    if cut:
        print(f"{cut} cannot be replayed: too large to be kept whole.")
    if wanted:
        print(f"{wanted} to be replayed at sweep's next ticks, {REPLAYS_A_TICK} a minute at most.")
    elif not cut:
        sys.exit(NONE)


if __name__ == "__main__":
    main()
