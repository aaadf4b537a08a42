"""Shows an account: `python -m functions.login.managed EMAIL`; sets its quotas, suspends it, or ends that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from functions.shared import audit, database, owners, quotas, settings, suspension
from functions.shared.audit import COMMAND_LINE
from functions.shared.problems import Problem, Unavailable
from functions.shared.quotas import QUOTAS
from functions.shared.tables import quotas as overrides
from functions.shared.tables import users

__all__ = ["main", "set_quotas", "shown"]

# In place of a number: what the settings say.
DEFAULT = "default"
_MAX = 2**63 - 1


def main() -> None:
    """The command line."""
    chosen = _parser().parse_args()
    try:
        settings.check()
        print(_done(chosen))
    except (settings.SettingError, Problem, Unavailable) as error:
        sys.exit(f"audiolift: {error}")


@database.transactional
def set_quotas(connection: sa.Connection, user_id: str, limits: Mapping[str, int | None]) -> None:
    """Set what one account may have of some quotas: a number, 0 for no limit, None for what the settings say."""
    owners.hold(connection, user_id)
    mine = overrides.c.user_id == user_id
    if connection.execute(sa.select(overrides.c.user_id).where(mine)).one_or_none():
        connection.execute(overrides.update().where(mine).values(**limits))
    else:
        connection.execute(overrides.insert().values(user_id=user_id, **limits))
    audit.write(connection, COMMAND_LINE, "quotas.set", {"user_id": user_id, **limits})


def shown(user_id: str) -> str:
    """What there is to know of an account, in lines of text."""
    with database.reading() as connection:
        row = connection.execute(users.select().where(users.c.id == user_id)).one()
        own = connection.execute(overrides.select().where(overrides.c.user_id == user_id)).one_or_none()
        may, has = quotas.allowed(connection, user_id), quotas.used(connection, user_id)
    head = f"{row.email}  {row.id}{'  suspended' if row.suspended_at else ''}"
    return "\n".join((head, *(_line(quota, may[quota], has[quota], own) for quota in QUOTAS)))


def _line(quota: str, limit: int, has: float, own: Any) -> str:
    ours = own is not None and own._mapping[quota] is not None
    return f"{quota:14} {has:>16,} of {limit or 'any number':>16} {QUOTAS[quota]}{', for this account' if ours else ''}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m functions.login.managed", description=__doc__)
    parser.add_argument("email", metavar="EMAIL", help="the address of the account")
    for quota, meaning in QUOTAS.items():
        words = f"how many {meaning} it may have: a number, 0 for any number, or `default`"
        parser.add_argument(f"--{quota.replace('_', '-')}", metavar="N", type=_limit, help=words)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--suspend", action="store_true", help="nothing that belongs to it opens anything from now on")
    which.add_argument("--resume", action="store_true", help="end that")
    parser.add_argument("--even-last", action="store_true", help="suspend also when there is no other operator then")
    return parser


def _limit(text: str) -> int | str:
    if text == DEFAULT:
        return text
    if not (text.isascii() and text.isdigit()) or int(text) > _MAX:
        raise argparse.ArgumentTypeError("give a number, or `default`")
    return int(text)


def _done(chosen: argparse.Namespace) -> str:
    user_id = _user_of(chosen.email)
    limits = {quota: getattr(chosen, quota) for quota in QUOTAS if getattr(chosen, quota) is not None}
    if limits:
        set_quotas(user_id, {quota: None if limit == DEFAULT else limit for quota, limit in limits.items()})
    if chosen.suspend:
        suspension.suspend(user_id, COMMAND_LINE, even_last=chosen.even_last)
    if chosen.resume:
        suspension.resume(user_id, COMMAND_LINE)
    return shown(user_id)


def _user_of(email: str) -> str:
    with database.reading() as connection:
        found = connection.execute(sa.select(users.c.id).where(users.c.email == email.strip().lower())).scalar()
    if found is None:
        sys.exit("There is no account with this email address.")
    return str(found)


if __name__ == "__main__":
    main()
