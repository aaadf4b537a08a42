"""Who did what as an operator, and what was deleted by whom: written in the transaction that does it.

Accounts and jobs are named by their ids alone, which are random.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from functions.shared.tables import audit, now

__all__ = ["COMMAND_LINE", "SWEEP", "Actor", "write"]


@dataclass(frozen=True)
class Actor:
    """Who acts: a user's id, "command-line", or "sweep" when time is up; and the id of the request, if it is one."""

    name: str
    request_id: str | None = None


COMMAND_LINE, SWEEP = Actor("command-line"), Actor("sweep")


def write(connection: sa.Connection, actor: Actor, action: str, target: Mapping[str, Any]) -> None:
    """Write an act down. `action` is a noun and a participle, as in `dead-letters.replayed`; `target` becomes JSON."""
    values = {"actor": actor.name, "action": action, "target": dict(target), "request_id": actor.request_id}
    connection.execute(audit.insert().values(id=uuid.uuid4().hex, at=now(), **values))
