"""What the videos of jobs were joined of: blobs, each with a row, which go when the video does (unwanted.py)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import sqlalchemy as sa

from functions.shared.blobs import Piece
from functions.shared.tables import upload_pieces

__all__ = ["list_pieces"]


def list_pieces(connection: sa.Connection, job_id: str, pieces: Sequence[Piece]) -> None:
    """Note what a job's video is made of, from its first byte on; none of the pieces is empty."""
    starts = accumulate((piece.size_bytes for piece in pieces), initial=0)
    rows = [
        {"job_id": job_id, "start_bytes": start, "size_bytes": piece.size_bytes, "name": piece.name}
        for start, piece in zip(starts, pieces, strict=False)
    ]
    if rows:
        connection.execute(upload_pieces.insert(), rows)
