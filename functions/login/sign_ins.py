"""Sign-ins from places, and by programs, that are new for an account: its owner is told by mail.

A place is the network that the address is of, as large as a provider's; a program is its name and its system. What is
kept is a digest of both, by a key that is not in the database: whoever reads the rows learns neither.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request

from functions.login import letters, programs
from functions.shared import database, kinds, languages, settings
from functions.shared.clients import client_of
from functions.shared.problems import Unavailable
from functions.shared.tables import known_sign_ins as table
from functions.shared.tables import now

__all__ = ["note"]

log = logging.getLogger(__name__)

# IPv4 is given to providers in such parts, more or less, and IPv6 in /32 (RIPE-738, section 5.1).
NETWORKS = {4: 16, 6: 32}
# When it was seen last is written down once in so long.
RESTED = timedelta(days=1)
UNSAID: dict[str, str] = {"en": "a program that does not say what it is", "de": "ein Programm, das sich nicht nennt"}


def note(user: Any, request: Request) -> letters.Letter | None:
    """Note a sign-in of the user of this row. Returns: the mail about it, if it is to be told.

    The first of an account is known, as is the first after the key has changed. Never raises: nobody is kept out by it.
    """
    address, program = client_of(request.scope), programs.named(request.headers.get("User-Agent", ""))
    try:
        if not _is_new(user.id, address, program) or not kinds.is_mailed(user.id, kinds.SIGNED_IN):
            return None
        language = languages.of(user.id)
    except Unavailable as error:
        log.warning("a sign-in is not noted: %s", error)
        return None
    at = f"{now():%Y-%m-%d %H:%M} UTC"
    return letters.signed_in(user.email, program or UNSAID[language], address, at, language)


def _is_new(user_id: str, address: str, program: str) -> bool:
    key = json.loads(settings.required("SIGNING_KEY"))
    secret = hashlib.sha256(f"sign-ins\0{key['d']}".encode()).digest()
    content = f"{user_id}\0{program}\0{_network(address)}".encode(errors="surrogatepass")
    try:
        return _note(user_id, hmac.new(secret, content, hashlib.sha256).hexdigest(), str(key["kid"])[:64])
    except IntegrityError:
        # Twice at the same moment: the other one tells.
        return False


@database.transactional
def _note(connection: sa.Connection, user_id: str, digest: str, key_id: str) -> bool:
    """Returns: whether it is new, beside others."""
    mine, moment = table.c.user_id == user_id, now()
    known = {row.digest: row for row in connection.execute(table.select().where(mine, table.c.key_id == key_id))}
    if digest not in known:
        connection.execute(table.insert().values(user_id=user_id, digest=digest, key_id=key_id, seen_at=moment))
    elif known[digest].seen_at < moment - RESTED:
        connection.execute(table.update().where(mine, table.c.digest == digest).values(seen_at=moment))
    return bool(known) and digest not in known


def _network(address: str) -> str:
    """The network of an address, or of the network of one, as functions.shared.clients tells it."""
    try:
        found = ipaddress.ip_address(address.partition("/")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, NETWORKS[found.version]), strict=False))
