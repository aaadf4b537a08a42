"""Events that the broker refused, on the command line: `python -m functions.sweep.resend` lists them.

What is sent again is so as by HTTP: it is in the audit table, and sweep's next ticks send it.
"""

from __future__ import annotations

import argparse
import sys

from functions.shared import settings
from functions.shared.audit import COMMAND_LINE
from functions.shared.problems import Unavailable
from functions.shared.views import rfc3339
from functions.sweep import administration, refusals
from functions.sweep.event_shapes import WhichEvents
from functions.sweep.letters import printable

__all__ = ["main"]

NONE = "There is no such event; without arguments this lists those that were refused."


def main() -> None:
    """The command line."""
    first_line = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m functions.sweep.resend", description=first_line)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("id", nargs="*", default=[], help="the events to send again, once the cause is cured")
    which.add_argument("--all", action="store_true", help="send all of them again")
    chosen = parser.parse_args()
    try:
        settings.check()
        if chosen.all or chosen.id:
            _send(WhichEvents(all=True) if chosen.all else WhichEvents(ids=chosen.id))
        else:
            _list()
    except (settings.SettingError, Unavailable) as error:
        sys.exit(f"audiolift: {error}")


def _list() -> None:
    for row in refusals.listed():
        since = f"set aside at {rfc3339(row.set_aside_at)}" if row.set_aside_at else "tried now and then"
        about = f"{row.event_id} {row.type} {row.job_id}, attempts: {row.attempts}, {since}: {row.refusal}"
        print(printable(about))


def _send(which: WhichEvents) -> None:
    if not (wanted := administration.send_again(which, COMMAND_LINE).wanted):
        sys.exit(NONE)
    print(f"{wanted} to be sent at sweep's next ticks.")


if __name__ == "__main__":
    main()
