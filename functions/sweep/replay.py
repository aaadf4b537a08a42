"""Dead letters on the command line: `python -m functions.sweep.replay` lists them; see `--help` for what else.

What is done is done as by HTTP: it is in the audit table, and sweep's next ticks replay so many at a time.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, get_args

from functions.shared import settings
from functions.shared.audit import COMMAND_LINE
from functions.shared.problems import Unavailable
from functions.sweep import administration
from functions.sweep.letters import printable
from functions.sweep.replays import REPLAYS_A_TICK, closed, found, listed
from functions.sweep.shapes import Chosen, LetterState

__all__ = ["main"]

NONE = "There is no such dead letter; without arguments this lists them."
FILTERS = ("state", "type", "source", "job_id")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m functions.sweep.replay", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("id", nargs="*", help="the dead letters to replay")
    parser.add_argument(
        "--all", action="store_true", help="replay all that were not replayed yet, or all that a filter names"
    )
    parser.add_argument("--show", metavar="ID", help="print one dead letter whole")
    parser.add_argument(
        "--settle", metavar="ID", nargs="*", help="take these off the list, or with --all: they are dealt with"
    )
    parser.add_argument("--state", choices=get_args(LetterState), help="only those in this state")
    parser.add_argument("--type", help="only those of this event type")
    parser.add_argument("--source", help="only those from this source")
    parser.add_argument("--job", dest="job_id", metavar="ID", help="only those about this job")
    chosen = parser.parse_args()
    if fault := _fault(chosen):
        parser.error(fault)
    try:
        settings.check()
        _do(chosen)
    except (settings.SettingError, Unavailable) as error:
        sys.exit(f"audiolift: {error}")


def _fault(chosen: argparse.Namespace) -> str | None:
    ids = [*chosen.id, *(chosen.settle or [])]
    if ids and (chosen.all or _named(chosen)):
        return "name dead letters by their ids, or by a filter, not by both"
    return "say which to settle: ids, or --all" if chosen.settle == [] and not chosen.all else None


def _named(chosen: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name in FILTERS if (value := getattr(chosen, name)) is not None}


def _do(chosen: argparse.Namespace) -> None:
    if chosen.show:
        return _show(found(chosen.show))
    if chosen.settle is not None:
        return _settle(_chosen(chosen, chosen.settle))
    if chosen.all or chosen.id:
        return _replay(_chosen(chosen, chosen.id))
    return _list(_named(chosen))


def _chosen(chosen: argparse.Namespace, ids: list[str]) -> Chosen:
    """As the body of a request by HTTP says it."""
    return Chosen(ids=ids) if ids else Chosen(**(_named(chosen) or {"all": True}))


def _list(named: dict[str, Any]) -> None:
    for letter in listed(named):
        about = f"{letter.attributes['type'] or '-'} {letter.attributes.get('subject') or '-'}"
        why = f"{letter.reason}{f' [{letter.note}]' if letter.note else ''}"
        print(printable(f"{letter.id} {letter.state}, replays: {letter.replays}, {about} {why}"))
    if not named and (hidden := closed()):
        print(f"{hidden} that have healed or were settled are not listed.")


def _settle(which: Chosen) -> None:
    if not (count := administration.settle(which, COMMAND_LINE).settled):
        sys.exit(NONE)
    print(f"{count} settled.")


def _show(letter: Any) -> None:
    if letter is None:
        sys.exit(NONE)
    kept = {"attributes": letter.attributes, "headers": letter.headers, "reason": letter.reason, "note": letter.note}
    # ASCII: nothing in it can steer a terminal.
    print(json.dumps({"id": letter.id, "state": letter.state, "replays": letter.replays, **kept}, indent=2))
    print(repr(letter.data)[2:-1])


def _replay(which: Chosen) -> None:
    done = administration.replay(which, COMMAND_LINE)
    if done.cut:
        print(f"{done.cut} cannot be replayed: too large to be kept whole.")
    if done.wanted:
        print(f"{done.wanted} to be replayed at sweep's next ticks, {REPLAYS_A_TICK} a minute at most.")
    elif not done.cut:
        sys.exit(NONE)


if __name__ == "__main__":
    main()
