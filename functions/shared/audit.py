"""Who did what as an operator, and to what: written in the transaction that does it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from functions.shared.tables import audit, now

__all__ = ["COMMAND_LINE", "Actor", "write"]


@dataclass(frozen=True)
class Actor:
    """Who acts: a user's id, or "command-line"; and the id of the request by which, if it is one."""

    name: str
    request_id: str | None = None


COMMAND_LINE = Actor("command-line")


def write(connection: sa.Connection, actor: Actor, action: str, target: Mapping[str, Any]) -> None:
    """Write an act down. `action` is a noun and a participle, as in `dead-letters.replayed`; `target` becomes JSON."""
    values = {"actor": actor.name, "action": action, "target": dict(target), "request_id": actor.request_id}
    connection.execute(audit.insert().values(id=uuid.uuid4().hex, at=now(), **values))
