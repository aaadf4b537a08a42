"""Jobs that are in the database without having been uploaded: many at once, and of any kind."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.shared.jobs.states import State
from tests.patience import PATIENCE
from tests.system import Audiolift

__all__ = ["insert"]

ENDED: dict[str, Any] = {"options": "{}", "progress": 1.0, "attempts": 0, "fencing_token": 1}


def insert(audiolift: Audiolift, owner: str, *jobs: dict[str, Any]) -> list[str]:
    """Rows of jobs, made straight in the database, the first one the newest. Returns: their ids."""
    now, ids = datetime.now(UTC).replace(tzinfo=None), []
    with closing(sqlite3.connect(audiolift.data / "audiolift.db", timeout=PATIENCE)) as database:
        for at, job in enumerate(jobs):
            made = now - timedelta(minutes=at + 1)
            values: dict[str, Any] = {
                "id": uuid.uuid4().hex,
                "user_id": owner,
                "state": State.DONE.value,
                "filename": f"{at}.mp4",
                **ENDED,
            }
            values |= {
                "created_at": str(made),
                "updated_at": str(made),
                "expires_at": str(now + timedelta(days=7)),
                **job,
            }
            names = ", ".join(values)
            database.execute(f"INSERT INTO jobs ({names}) VALUES ({', '.join('?' * len(values))})", [*values.values()])
            ids.append(str(values["id"]))
        database.commit()
    return ids
