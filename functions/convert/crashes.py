"""A line in the log for each crash, with all that is needed to reproduce it, and nothing about a person."""

from __future__ import annotations

import json
import logging
import platform
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from functions.convert.conversion.plan import OWN_TAGS
from functions.convert.errors import Crash
from functions.shared import blobs
from functions.shared.blobs import NoSuchBlob
from functions.shared.jobs.claims import Claim
from functions.shared.problems import Unavailable

__all__ = ["record"]

log = logging.getLogger(__name__)


def record(claim: Claim, crash: Crash) -> None:
    """Log one JSON object. The video is named as it is among the blobs, where it stays until the job expires."""
    known = {
        "job": claim.job_id,
        "attempt": claim.attempts,
        "video": claim.video,
        "video_bytes": _size(claim.video),
        "options": _without_texts(claim.options),
        "versions": {"python": platform.python_version(), "av": version("av"), "kernel": platform.release()},
        "machine": platform.machine(),
        "error": str(crash),
        **crash.facts,
    }
    log.error("conversion crashed: %s", json.dumps(known))


def _size(video: str) -> int | None:
    with suppress(Unavailable, NoSuchBlob):
        return blobs.store().size(video)
    return None


def _without_texts(options: dict[str, Any]) -> dict[str, Any]:
    """Of what the owner wrote into the tags, only how long it is."""
    return {name: f"{len(str(value))} characters" if name in OWN_TAGS else value for name, value in options.items()}
