"""Files, behind one small interface. `store()` gives the implementation that BLOBS_URL names.

Names are made by audiolift alone (`functions/shared/jobs/names.py`), never from what a user sent.
"""

from __future__ import annotations

from functions.shared import settings
from functions.shared.blobs.interface import Blobs, NoSuchBlob, Piece, Reader, Stored, Writer
from functions.shared.once import once

__all__ = ["Blobs", "NoSuchBlob", "Piece", "Reader", "Stored", "Writer", "store"]


@once
def store() -> Blobs:
    """The process's blob store. Raises: SettingError when BLOBS_URL names none that exists."""
    url = settings.text("BLOBS_URL")
    scheme, _, place = url.partition(":")
    if scheme == "file":
        from functions.shared.blobs.directory import DirectoryBlobs

        return DirectoryBlobs(place.removeprefix("//"))
    if scheme in ("mongodb", "mongodb+srv"):
        from functions.shared.blobs.gridfs import GridFSBlobs

        return GridFSBlobs(url)
    raise settings.SettingError(f"BLOBS_URL must begin with file: or mongodb:, not {scheme!r}")
