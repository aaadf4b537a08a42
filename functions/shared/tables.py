"""The tables, in SQLAlchemy Core. The rows are the truth about every job; events only hurry things along."""

from __future__ import annotations

import sqlalchemy as sa

from functions.shared.file_tables import archives, links, peaks
from functions.shared.mail_tables import account_mails, mailed_tokens
from functions.shared.notice_tables import (
    known_sign_ins,
    notice_attempts,
    notice_preferences,
    notifications,
    phones,
    webhooks,
)
from functions.shared.table_types import BYTES as _BYTES
from functions.shared.table_types import ID as _ID
from functions.shared.table_types import SERIAL as _SERIAL
from functions.shared.table_types import Instant, clock, metadata, now
from functions.shared.table_types import table as _table
from functions.shared.upload_tables import batches, upload_pieces, uploads

__all__ = [
    "Instant",
    "account_mails",
    "api_keys",
    "archives",
    "attempts",
    "audit",
    "batches",
    "checkpoints",
    "chores",
    "clock",
    "converted",
    "dead_letters",
    "identities",
    "job_events",
    "jobs",
    "known_sign_ins",
    "links",
    "mailed_tokens",
    "metadata",
    "notice_attempts",
    "notice_preferences",
    "notifications",
    "now",
    "operators",
    "outbox",
    "peaks",
    "phones",
    "quotas",
    "refresh_tokens",
    "rollouts",
    "turns",
    "unwanted_blobs",
    "upload_pieces",
    "uploads",
    "users",
    "webhooks",
]

users = _table(
    "users",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("password_hash", sa.String(255), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    # Its owner has deleted it: nobody can sign in, and sweep deletes what is left of it.
    sa.Column("deleted_at", Instant, index=True),
    # An operator has suspended it: nothing that belongs to it opens anything.
    sa.Column("suspended_at", Instant),
)

attempts = _table(
    "attempts",
    sa.Column("key", _ID, primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("last_at", Instant, nullable=False, index=True),
    sa.Column("free_at", Instant, nullable=False),
)

refresh_tokens = _table(
    "refresh_tokens",
    sa.Column("digest", _ID, primary_key=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("family", _ID, nullable=False, index=True),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.Column("used_at", Instant),
    sa.Column("scope", sa.String(255)),
    # Null in what a release before revision 0008 wrote.
    sa.Column("issued_at", Instant),
    sa.Column("signed_in_at", Instant),
    sa.Column("user_agent", sa.String(200)),
    # Of a token that a browser keeps as a cookie: how many renewals of its session came before. Null for programs'.
    sa.Column("generation", sa.Integer),
)

api_keys = _table(
    "api_keys",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("digest", _ID, nullable=False, unique=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("start", sa.String(16), nullable=False),
    sa.Column("scopes", sa.String(255), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, index=True),
    sa.Column("last_used_at", Instant),
)

operators = _table(
    "operators",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("granted_at", Instant, nullable=False),
)

# No foreign key: what somebody did is known after the account is gone.
audit = _table(
    "audit",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("actor", _ID, nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("target", sa.JSON, nullable=False),
    sa.Column("request_id", sa.String(128)),
)

identities = _table(
    "identities",
    sa.Column("digest", _ID, primary_key=True),
    sa.Column("issuer", sa.String(2048), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", Instant, nullable=False),
)

jobs = _table(
    "jobs",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("filename", sa.String(255), nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, index=True),
    sa.Column("source_url", sa.String(2048)),
    sa.Column("video_bytes", sa.BigInteger),
    sa.Column("video", sa.String(128)),
    sa.Column("audio", sa.String(128)),
    sa.Column("audio_bytes", sa.BigInteger),
    sa.Column("audio_sha256", _ID),
    sa.Column("duration_seconds", sa.Float),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_detail", sa.String(1000)),
    sa.Column("warnings", sa.JSON(none_as_null=True)),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("fencing_token", sa.BigInteger, nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("fingerprint", _ID),
    sa.Column("audio_tracks", sa.JSON(none_as_null=True)),
    sa.Column("reserved_bytes", sa.BigInteger),
    # Of a job that is done: its video, if that was kept.
    sa.Column("kept_video_bytes", sa.BigInteger),
    # What `audio` is. Null in what a release before revision 0014 wrote.
    sa.Column("audio_type", sa.String(32)),
    # How often all signed links were revoked at once.
    sa.Column("links_generation", sa.Integer),
    # The batch that it came in, if any.
    sa.Column("batch_id", _ID, index=True),
    sa.Column("video_sha256", _ID),
    # The MP3 that its row in `peaks` is drawn from.
    sa.Column("peaks_of", sa.String(128)),
    # What is there of a video that is fetched by URL, between deliveries (jobs/fetches.py).
    sa.Column("fetched", sa.JSON(none_as_null=True)),
    # When its MP3 was first fetched to its end; and the reminder that it expires: the job that carries it (jobs/
    # reminders.py), and when its owner was told.
    sa.Column("downloaded_at", Instant),
    sa.Column("reminder", _ID, index=True),
    sa.Column("reminded_at", Instant),
    sa.UniqueConstraint("user_id", "idempotency_key"),
    sa.Index("ix_jobs_owner", "user_id", "created_at", "id"),
    sa.Index("ix_jobs_content", "user_id", "video_sha256"),
    sa.Index("ix_jobs_turns", "state", "user_id", "created_at", "attempts"),
)

quotas = _table(
    "quotas",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("jobs", sa.BigInteger),
    sa.Column("stored_bytes", sa.BigInteger),
    sa.Column("minutes_a_day", sa.BigInteger),
)

converted = _table(
    "converted",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True, index=True),
    sa.Column("seconds", sa.Float, nullable=False),
)

turns = _table(
    "turns",
    sa.Column("user_id", _ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("level", sa.Double, nullable=False, index=True),
)

checkpoints = _table(
    "checkpoints",
    sa.Column("job_id", _ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("parts", sa.JSON, nullable=False),
    sa.Column("state", sa.JSON, nullable=False),
    sa.Column("saved_at", Instant, nullable=False),
)

job_events = _table(
    "job_events",
    sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("job_id", _ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

outbox = _table(
    "outbox",
    sa.Column("event_id", _ID, primary_key=True),
    # What it is about: a job, or a mail about an account.
    sa.Column("job_id", _ID, sa.ForeignKey("jobs.id", ondelete="CASCADE"), index=True),
    sa.Column("mail_id", _ID, sa.ForeignKey("account_mails.id", ondelete="CASCADE"), index=True),
    sa.Column("type", sa.String(128), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("settled_at", Instant, index=True),
    sa.Column("traceparent", sa.String(55)),
    sa.Column("tracestate", sa.String(512)),
    sa.Column("tried_at", Instant),
    sa.Column("refusal", sa.String(500)),
    # It is not sent earlier.
    sa.Column("not_before", Instant),
    # The sink refuses it for good: it is not sent until an operator says so.
    sa.Column("set_aside_at", Instant, index=True),
)

dead_letters = _table(
    "dead_letters",
    sa.Column("id", _ID, primary_key=True),
    sa.Column("attributes", sa.JSON, nullable=False),
    sa.Column("data", _BYTES, nullable=False),
    sa.Column("reason", sa.String(1000), nullable=False),
    sa.Column("recorded_at", Instant, nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("replays", sa.Integer, nullable=False),
    sa.Column("headers", sa.JSON(none_as_null=True)),
    sa.Column("event_id", sa.String(255)),
    sa.Column("source", sa.String(255)),
    sa.Column("type", sa.String(255)),
    sa.Column("job_id", _ID),
    sa.Column("note", sa.String(500)),
    sa.Column("tried_at", Instant),
    sa.Column("healed_at", Instant, index=True),
)

rollouts = _table(
    "rollouts",
    sa.Column("name", _ID, primary_key=True),
    sa.Column("since", Instant, nullable=False),
)

# No foreign key: it outlives the job.
unwanted_blobs = _table(
    "unwanted_blobs",
    sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("job_id", _ID, nullable=False, index=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("since", Instant, nullable=False),
    sqlite_autoincrement=True,
)

chores = _table(
    "chores",
    sa.Column("name", _ID, primary_key=True),
    sa.Column("begun_at", Instant, nullable=False),
)
