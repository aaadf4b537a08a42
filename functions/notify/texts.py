"""What a notice says."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from functions.shared import job_warnings, reasons, settings, tokens
from functions.shared.jobs.states import State

__all__ = ["webhook_disabled", "write"]


def write(job: Any, kind: str) -> str:
    """The text of a notice about a row of jobs: its first line is the subject. `kind` is an event type."""
    name = kind.removeprefix("dev.audiolift.").removesuffix(".v1")
    return _templates().get_template(f"{name}.txt").render(job=job, home=settings.text("PUBLIC_URL"), **_about(job))


def webhook_disabled(url: str, reason: str) -> str:
    """The text of the mail to the owner of a webhook that is disabled: its first line is the subject."""
    template = _templates().get_template("webhook-disabled.txt")
    return template.render(url=url, reason=reason, home=settings.text("PUBLIC_URL"))


@functools.cache
def _templates() -> Environment:
    # Plain text: nothing to escape. File names hold no control characters (upload sees to that): no line can be forged.
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), undefined=StrictUndefined, autoescape=False
    )


def _about(job: Any) -> dict[str, Any]:
    if job.state == State.FAILED:
        return {"title": reasons.title(job.error_code)}
    return {
        "length": _clock(job.duration_seconds),
        "size": _size(job.audio_bytes),
        "warnings": [warning.text for warning in job_warnings.loaded(job.warnings)],
        "until": f"{job.expires_at:%d %B %Y, %H:%M} UTC",
        "link": f"{settings.text('PUBLIC_URL')}/v1/files/{tokens.link(job.id, job.expires_at.timestamp())}",
    }


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
