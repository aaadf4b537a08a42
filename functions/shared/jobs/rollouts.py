"""What has to wait in a rollout until certain functions of the release before are gone.

The convert and the sweep of before revision 0004 know a job's video only by a name without a fencing token: that
convert would find no other, and that sweep would take any other for a file of no job. So the migration of a database
with jobs writes a row for each of the two, and the function that takes its place deletes it, ahead of its first event.
"""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import names
from functions.shared.tables import rollouts

__all__ = ["OLD_CONVERT", "OLD_SWEEP", "end", "video_name"]

OLD_CONVERT, OLD_SWEEP = "old-convert", "old-sweep"


def video_name(connection: sa.Connection, job_id: str, token: int) -> str:
    """The name that the claim with this token stores its video under."""
    running = sa.select(rollouts.c.name).where(rollouts.c.name.in_((OLD_CONVERT, OLD_SWEEP)))
    if connection.execute(running).first():
        return names.old_video(job_id)
    return names.video(job_id, token)


@database.transactional
def end(connection: sa.Connection, gone: str) -> None:
    """Note that OLD_CONVERT or OLD_SWEEP gets no more events. Raises: Unavailable."""
    connection.execute(rollouts.delete().where(rollouts.c.name == gone))
