"""Tables about the MP3s of jobs: who else may have them, what they look like, and many of them at once."""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared.table_types import ID, Instant, table

__all__ = ["archives", "links", "peaks"]

# Signed links that owners have made; what opens the file is signed, and not here.
links = table(
    "links",
    sa.Column("id", ID, primary_key=True),
    sa.Column("job_id", ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

# The waveform of a job's MP3: the greatest sample of each so many `seconds`, a byte each (0 to 255, full scale).
peaks = table(
    "peaks",
    sa.Column("job_id", ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("heights", sa.LargeBinary, nullable=False),
)

# Which MP3s a zip was asked for; what opens it is signed, and not here.
archives = table(
    "archives",
    sa.Column("id", ID, primary_key=True),
    sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("job_ids", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)
