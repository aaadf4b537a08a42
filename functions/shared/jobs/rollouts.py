"""What has to wait in a rollout until certain functions of the release before are gone.

The convert and the sweep of before revision 0004 know a job's video only by a name without a fencing token: that
convert would find no other, and that sweep would take any other for a file of no job. Those of before revision 0012 do
not know videos that are joined of pieces: that convert could not read one, and that sweep would take its pieces for
files of no job, as it would any video that a job keeps once it is done. So the migration of a database with jobs writes
a row for each of them, and the function that takes its place deletes it, ahead of its first event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import names
from functions.shared.problems import Unavailable
from functions.shared.tables import rollouts

__all__ = ["OLD_CONVERT", "OLD_SWEEP", "can_keep", "check_joining", "end", "video_name"]

# By function: who does not know tokens in names, and who does not know pieces.
OLD_CONVERT = ("old-convert", "convert-before-0012")
OLD_SWEEP = ("old-sweep", "sweep-before-0012")


def video_name(connection: sa.Connection, job_id: str, token: int) -> str:
    """The name that the claim with this token stores its video under."""
    if _are_there(connection, OLD_CONVERT[0], OLD_SWEEP[0]):
        return names.old_video(job_id)
    return names.video(job_id, token)


def check_joining(connection: sa.Connection) -> None:
    """Raises: Unavailable while there is somebody who does not know videos that are joined of pieces."""
    if _are_there(connection, OLD_CONVERT[1], OLD_SWEEP[1]):
        raise Unavailable("resumable uploads wait until convert and sweep of the release before are gone")


def can_keep(options: Mapping[str, Any]) -> bool:
    """Whether a job with these options may be done: not while it keeps its video, and a sweep would not know that."""
    if not options.get("keep_video"):
        return True
    with database.reading() as connection:
        return not _are_there(connection, OLD_SWEEP[1])


@database.transactional
def end(connection: sa.Connection, gone: tuple[str, ...]) -> None:
    """Note that OLD_CONVERT or OLD_SWEEP get no more events. Raises: Unavailable."""
    connection.execute(rollouts.delete().where(rollouts.c.name.in_(gone)))


def _are_there(connection: sa.Connection, *waited_for: str) -> bool:
    running = sa.select(rollouts.c.name).where(rollouts.c.name.in_(waited_for))
    return connection.execute(running).first() is not None
