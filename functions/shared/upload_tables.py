"""The tables of videos on their way here: resumable uploads with their pieces, and batches of videos by URL."""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared.table_types import ID as _ID
from functions.shared.table_types import Instant
from functions.shared.table_types import table as _table

__all__ = ["batches", "upload_pieces", "uploads"]

batches = _table(
    "batches",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("fingerprint", _ID, nullable=False),
    # For each item its job's id, or its problem details.
    sa.Column("results", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False, index=True),
    # Its jobs were over, or all that could be told was, by then; and its owner knows.
    sa.Column("ended_at", Instant),
    sa.Column("told_at", Instant, index=True),
    sa.UniqueConstraint("user_id", "idempotency_key"),
)

# The job's id is the upload's. It is complete when offset_bytes is size_bytes, which may be stated late.
uploads = _table(
    "uploads",
    sa.Column("job_id", _ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("offset_bytes", sa.BigInteger, nullable=False),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("concat", sa.Text, nullable=False),
    # Null once it is complete.
    sa.Column("expires_at", Instant, index=True),
)

# What has arrived of an upload: blobs, each with the bytes from start_bytes on.
upload_pieces = _table(
    "upload_pieces",
    sa.Column("job_id", _ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("start_bytes", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("name", sa.String(128), nullable=False, index=True),
)
