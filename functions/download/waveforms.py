"""The waveform of an MP3, as an HTTP response."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.download import files
from functions.download.shapes import Waveform
from functions.shared.api import json_response
from functions.shared.jobs import peaks
from functions.shared.problems import Problem

__all__ = ["respond"]


def respond(request: Request, job: Any) -> Response:
    """The waveform of the MP3 of a job. Raises: Problem (404, 409, 410)."""
    files.check_there(job)
    headers = {"ETag": f'"{job.audio_sha256}"', "Cache-Control": "private, no-cache"}
    found = peaks.of(job)
    if found is None:
        raise Problem("not-found", "This MP3 has no waveform.")
    if files.unmodified(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return json_response(Waveform(found.seconds, list(found.heights)), headers=headers)
