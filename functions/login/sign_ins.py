"""Sign-ins from places, and by programs, that are new for an account: its owner is told by mail.

A place is the network that the address is of, as large as a provider's; a program is its name and its system. What is
kept is a digest of both, by a key that is not in the database: whoever reads the rows learns neither.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request

from functions.login import programs
from functions.shared import account_mails, kinds, settings
from functions.shared.clients import client_of
from functions.shared.tables import known_sign_ins as table
from functions.shared.tables import now

__all__ = ["Seen", "note", "seen"]

# IPv4 is given to providers in such parts, more or less, and IPv6 in /32 (RIPE-738, section 5.1).
NETWORKS = {4: 16, 6: 32}
# When it was seen last is written down once in so long.
RESTED = timedelta(days=1)


class Seen(NamedTuple):
    """What a request tells of where a sign-in comes from: a network's or a client's address, and a program's name."""

    address: str
    program: str


def seen(request: Request) -> Seen:
    """What a request tells."""
    return Seen(client_of(request.scope), programs.named(request.headers.get("User-Agent", "")))


def note(connection: sa.Connection, user: Any, where: Seen) -> str | None:
    """Note a sign-in of the user of this row, which the caller's transaction holds: two at once take turns.

    Returns: the event of the mail about it, if it is new. The first of an account is known, as is the first after the
    key has changed.
    """
    try:
        # The release before this one does not hold the row.
        with connection.begin_nested():
            is_new = _note(connection, user.id, where)
    except IntegrityError:
        # Twice at the same moment: the other one tells.
        return None
    if not is_new:
        return None
    at = f"{now():%Y-%m-%d %H:%M} UTC"
    said = {"program": where.program, "address": where.address, "at": at}
    return account_mails.write(connection, kinds.SIGNED_IN, user.email, user.id, said=said)


def _note(connection: sa.Connection, user_id: str, where: Seen) -> bool:
    """Returns: whether it is new, beside others."""
    digest, key_id = _digest(user_id, where)
    mine, moment = table.c.user_id == user_id, now()
    known = {row.digest: row for row in connection.execute(table.select().where(mine, table.c.key_id == key_id))}
    if digest not in known:
        connection.execute(table.insert().values(user_id=user_id, digest=digest, key_id=key_id, seen_at=moment))
    elif known[digest].seen_at < moment - RESTED:
        connection.execute(table.update().where(mine, table.c.digest == digest).values(seen_at=moment))
    return bool(known) and digest not in known


def _digest(user_id: str, where: Seen) -> tuple[str, str]:
    """The digest of a place and a program, and by which key."""
    key = json.loads(settings.required("SIGNING_KEY"))
    secret = hashlib.sha256(f"sign-ins\0{key['d']}".encode()).digest()
    content = f"{user_id}\0{where.program}\0{_network(where.address)}".encode(errors="surrogatepass")
    return hmac.new(secret, content, hashlib.sha256).hexdigest(), str(key["kid"])[:64]


def _network(address: str) -> str:
    """The network of an address, or of the network of one, as functions.shared.clients tells it."""
    try:
        found = ipaddress.ip_address(address.partition("/")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, NETWORKS[found.version]), strict=False))
